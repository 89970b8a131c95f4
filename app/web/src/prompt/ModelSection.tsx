import { Alert, Button, Checkbox, Group, NumberInput, Popover, Select, Slider, Stack, TagsInput, Text } from '@mantine/core';
import { IconAdjustmentsHorizontal, IconAlertTriangle } from '@tabler/icons-react';
import { useTranslation } from '@/i18n';
import { Link } from 'react-router';

import { localised, useModels } from '@/models/api';
import { Section } from '@/ui/states';

import type { SectionProps } from './InstructionSection';

const SLIDERS = [
  { key: 'temperature', min: 0, max: 2, step: 0.1, start: 0.7 },
  { key: 'top_p', min: 0, max: 1, step: 0.05, start: 1 },
  { key: 'presence_penalty', min: -2, max: 2, step: 0.1, start: 0 },
  { key: 'frequency_penalty', min: -2, max: 2, step: 0.1, start: 0 },
] as const;

/** Parameters of the model; only those switched on are sent. */
function Parameters({ values, onChange }: { values: Record<string, unknown>; onChange: (values: Record<string, unknown>) => void }) {
  const { t } = useTranslation();
  const set = (key: string, value: unknown) => {
    const next = { ...values };
    if (value === undefined) Reflect.deleteProperty(next, key);
    else next[key] = value;
    onChange(next);
  };
  const used = Object.keys(values).length;
  return (
    <Popover width={340} position="bottom-end" shadow="md" trapFocus>
      <Popover.Target>
        <Button variant="default" leftSection={<IconAdjustmentsHorizontal size={18} />}>
          {t('prompt:model.parameters')}
          {used > 0 ? ` (${used})` : ''}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="sm">
          {SLIDERS.map(({ key, min, max, step, start }) => {
            const value = values[key];
            const on = typeof value === 'number';
            return (
              <div key={key}>
                <Group justify="space-between">
                  <Checkbox label={t(`prompt:model.${key}`)} checked={on} onChange={(event) => set(key, event.currentTarget.checked ? start : undefined)} />
                  <Text fz="sm" c="dimmed" className="sp-num">
                    {on ? value : ''}
                  </Text>
                </Group>
                {on ? <Slider mt={6} min={min} max={max} step={step} value={value} onChange={(next) => set(key, next)} label={null} thumbLabel={t(`prompt:model.${key}`)} /> : null}
              </div>
            );
          })}
          <Group justify="space-between" wrap="nowrap">
            <Checkbox label={t('prompt:model.max_tokens')} checked={typeof values.max_tokens === 'number'} onChange={(event) => set('max_tokens', event.currentTarget.checked ? 1024 : undefined)} />
            {typeof values.max_tokens === 'number' ? (
              <NumberInput w={110} size="xs" min={1} max={1_000_000} step={128} aria-label={t('prompt:model.max_tokens')} value={values.max_tokens} onChange={(value) => (typeof value === 'number' ? set('max_tokens', value) : undefined)} />
            ) : null}
          </Group>
          <TagsInput
            size="xs"
            label={t('prompt:model.stop')}
            description={t('prompt:model.stopText')}
            maxTags={4}
            value={Array.isArray(values.stop) ? values.stop.filter((s): s is string => typeof s === 'string') : []}
            onChange={(stop) => set('stop', stop.length ? stop : undefined)}
            comboboxProps={{ withinPortal: false }}
          />
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

export function ModelSection({ config, change }: SectionProps) {
  const { t } = useTranslation();
  const models = useModels('llm');
  const list = models.data?.data ?? [];
  const now = config.model;
  const value = now?.name ? JSON.stringify([now.provider, now.name]) : null;
  // Mantine takes every item with a `group` key for a group, so the provider's name stays outside the items.
  const groups = new Map<string, { value: string; label: string }[]>();
  const offer = (group: string, provider: string, name: string) => {
    groups.set(group, [...(groups.get(group) ?? []), { value: JSON.stringify([provider, name]), label: name }]);
  };
  for (const m of list) offer(localised(m.provider_label, m.provider), m.provider, m.model);
  const known = list.some((m) => m.provider === now?.provider && m.model === now.name);
  if (now?.name && !known) offer(now.provider, now.provider, now.name);
  return (
    <Section id="model" title={t('prompt:model.title')}>
      <Group align="flex-start" gap="sm">
        <Select
          aria-label={t('prompt:model.title')}
          placeholder={list.length ? t('prompt:model.choose') : t('prompt:model.none')}
          flex="1 1 220px"
          searchable
          allowDeselect={false}
          data={[...groups].map(([group, items]) => ({ group, items }))}
          value={value}
          disabled={models.isPending || groups.size === 0}
          nothingFoundMessage={t('state.noMatch')}
          onChange={(next) => {
            if (!next) return;
            const [provider = '', name = ''] = JSON.parse(next) as string[];
            change({ model: { mode: 'chat', completion_params: {}, ...now, provider, name } });
          }}
        />
        {now ? <Parameters values={now.completion_params} onChange={(completion_params) => change({ model: { ...now, completion_params } })} /> : null}
      </Group>
      {models.data && list.length === 0 ? (
        <Alert mt="sm" color="sparrow" icon={<IconAlertTriangle size={20} />}>
          <Group justify="space-between">
            <Text fz="sm">{t('prompt:model.noneText')}</Text>
            <Button component={Link} to="/models" size="xs">
              {t('nav.models')}
            </Button>
          </Group>
        </Alert>
      ) : value && models.data && !known ? (
        <Alert mt="sm" color="sparrow" icon={<IconAlertTriangle size={20} />}>
          {t('prompt:model.unknown', { name: now?.name ?? '' })}
        </Alert>
      ) : null}
    </Section>
  );
}
