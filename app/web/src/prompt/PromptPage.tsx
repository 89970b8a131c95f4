import { Button, Center, Group, Loader, SegmentedControl, Text, Tooltip } from '@mantine/core';
import { IconAlertTriangle, IconCheck, IconMessagePlus } from '@tabler/icons-react';
import { useEffect, useMemo, useState } from 'react';
import { useTranslation } from '@/i18n';

import { http } from '@/api/http';
import { Chat } from '@/chat/Chat';
import { messageRules } from '@/chat/files';
import { defaults, entries, type Inputs } from '@/chat/inputs';
import { chatService, served } from '@/chat/service';
import { useChat } from '@/chat/useChat';
import { useFrameApp } from '@/studio/AppFrame';
import { AppIcon } from '@/ui/AppIcon';
import { useErrorText } from '@/ui/errors';
import { HiddenTitle } from '@/ui/Page';
import { Failed, RowSkeletons } from '@/ui/states';

import { AgentSection } from './AgentSection';
import { CompletionPanel } from './CompletionPanel';
import { FeatureSection } from './FeatureSection';
import { InstructionSection } from './InstructionSection';
import { KnowledgeSection } from './KnowledgeSection';
import { ModelSection } from './ModelSection';
import { OpenerSection } from './OpenerSection';
import css from './Prompt.module.css';
import { PublishBar } from './PublishBar';
import { useModelConfig, type SaveState } from './useModelConfig';

function SaveMark({ state, error, retry }: { state: SaveState; error: unknown; retry: () => unknown }) {
  const { t } = useTranslation();
  const text = useErrorText();
  if (state === 'failed' || state === 'conflict') {
    return (
      <Tooltip label={text(error)} multiline maw={320}>
        <Button size="compact-sm" color="brick" variant="light" leftSection={<IconAlertTriangle size={16} />} onClick={() => void retry()}>
          {t('prompt:save.failed')}
        </Button>
      </Tooltip>
    );
  }
  return (
    <span className={css.save} role="status">
      {state === 'saved' ? <IconCheck size={16} aria-hidden /> : <Loader size={12} />}
      {t(`prompt:save.${state}`)}
    </span>
  );
}

/** Instructions, model and knowledge of an app on the left; the app itself, to try, on the right. */
export default function PromptPage() {
  const { t } = useTranslation();
  const app = useFrameApp();
  const model = useModelConfig(app.id);
  const { config, change, flush } = model;
  const [view, setView] = useState('edit');
  const [values, setValues] = useState<Inputs>({});
  const chat = useChat({ path: `/apps/${app.id}/chat-messages`, before: () => flush() });
  const service = chatService(`/apps/${app.id}`, served(config ?? {}));
  const form = useMemo(() => entries(config?.user_input_form), [config?.user_input_form]);
  const ready = config !== undefined;
  useEffect(() => {
    if (ready) setValues((old) => ({ ...defaults(form), ...old }));
  }, [ready, form]);

  if (model.loading) {
    return (
      <div className={css.settings}>
        <RowSkeletons n={6} />
      </div>
    );
  }
  if (!config) return <Failed error={model.loadError} retry={() => model.reload()} />;

  const hasModel = Boolean(config.model?.name);
  const rate = (turn: (typeof chat.turns)[number], rating: 'like' | 'dislike' | null) => {
    chat.replace({ ...turn, rating });
    http.post(`/apps/${app.id}/messages/${turn.messageId ?? ''}/feedbacks`, { rating }).catch(() => chat.replace(turn));
  };
  const sections = { config, change };
  return (
    <div className={css.page} data-view={view}>
      <HiddenTitle title={t('studio:tab.prompt')} />
      <div className={css.switch}>
        <SegmentedControl
          fullWidth
          value={view}
          onChange={setView}
          aria-label={t('prompt:view.label')}
          data={[
            { value: 'edit', label: t('prompt:view.edit') },
            { value: 'try', label: t('prompt:view.try') },
          ]}
        />
      </div>
      <div className={css.settings}>
        <div className={css.stack}>
          <ModelSection {...sections} />
          <InstructionSection {...sections} />
          <KnowledgeSection {...sections} mode={app.mode} />
          {app.mode === 'agent-chat' ? <AgentSection {...sections} /> : null}
          {app.mode === 'completion' ? null : <OpenerSection {...sections} />}
          <FeatureSection {...sections} mode={app.mode} />
          <PublishBar model={model} />
        </div>
      </div>
      <section className={css.try} aria-label={t('prompt:try.title')}>
        <div className={css.tryhead}>
          <Text fw={620}>{t('prompt:try.title')}</Text>
          <SaveMark state={model.state} error={model.error} retry={() => flush().catch(() => undefined)} />
          {app.mode === 'completion' ? null : (
            <Button ml="auto" size="xs" variant="subtle" leftSection={<IconMessagePlus size={16} />} disabled={chat.turns.length === 0} onClick={chat.reset}>
              {t('chat:fresh')}
            </Button>
          )}
        </div>
        {app.mode === 'completion' ? (
          <CompletionPanel appId={app.id} form={form} values={values} onValues={setValues} service={service} before={() => flush()} disabled={!hasModel} />
        ) : (
          <div style={{ flex: 1, minHeight: 0 }}>
            <Chat
              chat={chat}
              avatar={<AppIcon app={app} size={32} />}
              opener={config.opening_statement ?? ''}
              suggestions={config.suggested_questions}
              form={form}
              values={values}
              onValues={setValues}
              service={service}
              fileRules={messageRules(config.file_upload)}
              disabled={!hasModel}
              openSources
              placeholder={hasModel ? undefined : t('prompt:try.noModel')}
              onRate={rate}
              empty={
                <Center h="100%" mih={220}>
                  <Group maw={320} justify="center">
                    <Text c="dimmed" ta="center">
                      {t(hasModel ? 'prompt:try.empty' : 'prompt:try.noModelText')}
                    </Text>
                  </Group>
                </Center>
              }
            />
          </div>
        )}
      </section>
    </div>
  );
}
