import { Alert, Anchor, NumberInput, Select, Stack, Switch, Text, Textarea, TextInput } from '@mantine/core';
import { Link } from 'react-router';

import type { AppMode, ModelConfig } from '@/api/types';
import { useTranslation } from '@/i18n';
import { useModels } from '@/models/api';
import { Section } from '@/ui/states';

import { ExtensionSelect } from './Extensions';
import type { SectionProps } from './InstructionSection';

interface Part {
  enabled?: boolean;
  preset_response?: string;
}

interface Moderation {
  enabled?: boolean;
  type?: string;
  config?: { keywords?: string; api_based_extension_id?: string; inputs_config?: Part; outputs_config?: Part; [key: string]: unknown };
}

function object(config: ModelConfig, name: string): Record<string, unknown> {
  const value = config[name];
  return value && typeof value === 'object' ? (value as Record<string, unknown>) : {};
}

/** Speech, pictures and moderation: what surrounds the answers of an app. */
export function FeatureSection({ config, change, mode }: SectionProps & { mode: AppMode }) {
  const { t } = useTranslation();
  const heard = object(config, 'speech_to_text');
  const spoken = object(config, 'text_to_speech');
  const upload = object(config, 'file_upload');
  const image = (upload.image ?? {}) as Record<string, unknown>;
  const listeners = useModels('speech2text');
  const speakers = useModels('tts');
  const voices = [...new Set((speakers.data?.data ?? []).flatMap((model) => model.voices))];
  const needs = (list: typeof speakers, on: unknown) =>
    on && list.data?.data.length === 0 ? (
      <Alert color="sparrow" p="xs">
        {t('prompt:features.noModel')} <Anchor component={Link} to="/models" fz="sm">{t('nav.models')}</Anchor>
      </Alert>
    ) : null;
  return (
    <Section id="features" title={t('prompt:features.title')} description={t('prompt:features.text')}>
      <Stack>
        {mode === 'completion' ? null : (
          <>
            <Switch label={t('prompt:features.hear')} description={t('prompt:features.hearText')} checked={heard.enabled === true} onChange={(event) => change({ speech_to_text: { ...heard, enabled: event.currentTarget.checked } })} />
            {needs(listeners, heard.enabled)}
          </>
        )}
        {mode === 'completion' ? (
          <Switch label={t('prompt:features.more')} description={t('prompt:features.moreText')} checked={object(config, 'more_like_this').enabled === true} onChange={(event) => change({ more_like_this: { ...object(config, 'more_like_this'), enabled: event.currentTarget.checked } })} />
        ) : null}
        <Switch label={t('prompt:features.speak')} description={t('prompt:features.speakText')} checked={spoken.enabled === true} onChange={(event) => change({ text_to_speech: { voice: '', language: '', ...spoken, enabled: event.currentTarget.checked } })} />
        {needs(speakers, spoken.enabled)}
        {spoken.enabled && voices.length > 0 ? (
          <Select label={t('prompt:features.voice')} maw={260} clearable data={voices} value={typeof spoken.voice === 'string' && spoken.voice ? spoken.voice : null} onChange={(voice) => change({ text_to_speech: { ...spoken, voice: voice ?? '' } })} />
        ) : null}
        <Switch
          label={t('prompt:features.pictures')}
          description={t('prompt:features.picturesText')}
          checked={image.enabled === true}
          onChange={(event) => change({ file_upload: { ...upload, image: { number_limits: 3, detail: 'high', transfer_methods: ['remote_url', 'local_file'], ...image, enabled: event.currentTarget.checked } } })}
        />
        {image.enabled === true ? (
          <NumberInput label={t('prompt:features.pictureCount')} maw={160} min={1} max={6} value={typeof image.number_limits === 'number' ? image.number_limits : 3} onChange={(value) => change({ file_upload: { ...upload, image: { ...image, number_limits: Number(value) || 3 } } })} />
        ) : null}
        <ModerationFields value={object(config, 'sensitive_word_avoidance')} onChange={(sensitive_word_avoidance) => change({ sensitive_word_avoidance })} />
      </Stack>
    </Section>
  );
}

function ModerationFields({ value, onChange }: { value: Moderation; onChange: (value: Moderation) => void }) {
  const { t } = useTranslation();
  const config = value.config ?? {};
  const put = (patch: Moderation['config']) => onChange({ ...value, config: { ...config, ...patch } });
  const part = (name: 'inputs_config' | 'outputs_config') => {
    const now = config[name] ?? {};
    return (
      <div>
        <Switch label={t(`prompt:moderation.${name}`)} checked={now.enabled ?? false} onChange={(event) => put({ [name]: { ...now, enabled: event.currentTarget.checked } })} />
        {now.enabled && value.type !== 'api' ? <TextInput mt={6} label={t('prompt:moderation.reply')} placeholder={t('prompt:moderation.replyText')} maxLength={100} value={now.preset_response ?? ''} onChange={(event) => put({ [name]: { ...now, preset_response: event.currentTarget.value } })} /> : null}
      </div>
    );
  };
  const off = value.enabled && !config.inputs_config?.enabled && !config.outputs_config?.enabled;
  return (
    <>
      <Switch
        label={t('prompt:moderation.title')}
        description={t('prompt:moderation.text')}
        checked={value.enabled ?? false}
        onChange={(event) => {
          const enabled = event.currentTarget.checked;
          const start = { keywords: '', inputs_config: { enabled: true, preset_response: t('prompt:moderation.replyText') }, outputs_config: { enabled: false } };
          onChange({ ...value, enabled, type: value.type || 'keywords', config: value.config ?? start });
        }}
      />
      {value.enabled ? (
        <Stack gap="sm" pl="md" style={{ borderLeft: '3px solid var(--sp-line)' }}>
          <Select
            label={t('prompt:moderation.kind')}
            allowDeselect={false}
            value={value.type || 'keywords'}
            onChange={(type) => onChange({ ...value, type: type ?? 'keywords' })}
            data={[
              { value: 'keywords', label: t('prompt:moderation.keywords') },
              { value: 'openai_moderation', label: t('prompt:moderation.model') },
              { value: 'api', label: t('prompt:moderation.api') },
            ]}
          />
          {value.type === 'api' ? <ExtensionSelect value={config.api_based_extension_id ?? ''} onChange={(api_based_extension_id) => put({ api_based_extension_id })} /> : value.type === 'openai_moderation' ? null : (
            <Textarea label={t('prompt:moderation.words')} description={t('prompt:moderation.wordsText')} autosize minRows={3} maxRows={8} value={config.keywords ?? ''} onChange={(event) => put({ keywords: event.currentTarget.value })} />
          )}
          {part('inputs_config')}
          {part('outputs_config')}
          {off ? <Text fz="sm" c="var(--mantine-color-error)">{t('prompt:moderation.none')}</Text> : null}
        </Stack>
      ) : null}
    </>
  );
}
