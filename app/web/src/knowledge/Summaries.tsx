import { ActionIcon, Anchor, Button, Checkbox, Group, Loader, Modal, Select, Stack, Switch, Text, Textarea, Tooltip } from '@mantine/core';
import { IconPencil, IconPlayerPause, IconPlayerPlay, IconPlayerStop, IconRefresh } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';

import { useTranslation } from '@/i18n';
import type { Doc, Segment, SummarySetting } from '@/api/types';
import { localised, useDefaultModels, useModels } from '@/models/api';
import { useErrorText } from '@/ui/errors';
import { count } from '@/ui/format';
import { serverText } from '@/ui/serverText';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import css from './Knowledge.module.css';

const MAX_CHARS = 4000;

/** Whether a model writes a summary of each chunk, which one, and what it is told. */
export function SummaryForm({ value, onChange }: { value: SummarySetting; onChange: (value: SummarySetting) => void }) {
  const { t } = useTranslation();
  const models = useModels('llm');
  const defaults = useDefaultModels();
  const chosen = value.model_name ? `${value.model_provider_name ?? ''}\n${value.model_name}` : '';
  const list = (models.data?.data ?? []).map((model) => ({ value: `${model.provider}\n${model.model}`, label: `${localised(model.provider_label, model.provider)} · ${model.model}` }));
  if (chosen && models.data && !list.some((entry) => entry.value === chosen)) list.push({ value: chosen, label: value.model_name ?? '' });
  const own = defaults.data?.llm;
  const none = models.data && defaults.data && list.length === 0;
  return (
    <Stack>
      <Switch label={t('knowledge:summary.enable')} description={t('knowledge:summary.enableText')} checked={Boolean(value.enable)} disabled={!value.enable && none} onChange={(event) => onChange({ ...value, enable: event.currentTarget.checked })} />
      {none ? (
        <Text fz="xs" c="dimmed">
          {t('knowledge:summary.noModel')} <Anchor component={Link} to="/models" fz="xs">{t('nav.models')}</Anchor>
        </Text>
      ) : null}
      {value.enable ? (
        <>
          <Select
            label={t('knowledge:summary.model')} allowDeselect={false} searchable
            value={chosen}
            onChange={(next) => {
              const [provider = '', model = ''] = (next ?? '').split('\n');
              onChange({ ...value, model_provider_name: provider, model_name: model });
            }}
            data={[{ value: '', label: own ? t('knowledge:summary.default', { name: own.model }) : t('knowledge:summary.defaultNone') }, ...list]}
          />
          <Textarea autosize minRows={2} maxRows={10} label={t('knowledge:summary.prompt')} description={t('knowledge:summary.promptText')} placeholder={t('knowledge:summary.promptDefault')} value={value.summary_prompt ?? ''} onChange={(event) => onChange({ ...value, summary_prompt: event.currentTarget.value })} />
        </>
      ) : null}
    </Stack>
  );
}

/** Says how many chunks of some documents a model would write summaries of, and has it begin. */
export function WriteSummaries({ datasetId, docs, close, done }: { datasetId: string; docs: Doc[]; close: () => void; done: () => unknown }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const [again, setAgain] = useState(false);
  const ids = docs.map((doc) => doc.id);
  const estimate = useQuery({ queryKey: ['datasets', 'summary-estimate', datasetId, ids], queryFn: () => knowledgeApi.summaryEstimate(datasetId, ids), retry: false, gcTime: 0 });
  const start = useAct(() => knowledgeApi.writeSummaries(datasetId, ids, again), {
    done: async () => {
      close();
      await done();
    },
  });
  const found = estimate.data;
  const wanted = found ? found.passages + (again ? found.written : 0) : 0;
  return (
    <Modal opened onClose={close} title={t('knowledge:summary.write', { count: docs.length })} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Stack>
        <Text fz="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>{docs.slice(0, 5).map((doc) => doc.name).join(', ')}{docs.length > 5 ? ' …' : ''}</Text>
        {estimate.isPending ? <Loader size="sm" /> : null}
        {estimate.error ? <Text fz="sm" c="var(--mantine-color-error)" role="alert">{text(estimate.error)}</Text> : null}
        {found ? (
          <>
            <Text fz="sm">{wanted ? t('knowledge:summary.concerns', { count: wanted, n: count(wanted), characters: count(found.characters + (again ? found.written_characters : 0)), model: found.model.model }) : t('knowledge:summary.nothing')}</Text>
            {found.written ? <Checkbox label={t('knowledge:summary.again', { count: found.written, n: count(found.written) })} checked={again} onChange={(event) => setAgain(event.currentTarget.checked)} /> : null}
          </>
        ) : null}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>{t('action.cancel')}</Button>
          <Button loading={start.isPending} disabled={!wanted} onClick={() => start.mutate()}>{t('knowledge:summary.start')}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

/** How far the writing of a document's summaries is, and what can be done about it. */
export function SummaryState({ datasetId, doc, refresh }: { datasetId: string; doc: Doc; refresh: () => unknown }) {
  const { t } = useTranslation();
  const act = useAct((action: 'pause' | 'resume' | 'cancel' | 'retry') => knowledgeApi.controlSummaries(datasetId, doc.id, action), { done: refresh });
  if (!doc.summary_state) return null;
  const failed = doc.summary_state === 'error';
  const buttons = {
    pause: { icon: IconPlayerPause, on: ['waiting'] }, resume: { icon: IconPlayerPlay, on: ['paused'] },
    retry: { icon: IconRefresh, on: ['error'] }, cancel: { icon: IconPlayerStop, on: ['waiting', 'paused', 'error'] },
  } as const;
  return (
    <Stack gap={2} mt={4} maw={360} data-testid="summaries">
      <Group gap={2}>
        <Text fz="xs" c="dimmed" className="sp-num">
          {t(doc.summary_state === 'paused' ? 'knowledge:summary.paused' : 'knowledge:summary.progress', { done: count(doc.summary_done), total: count(doc.summary_total) })}
        </Text>
        {(['pause', 'resume', 'retry', 'cancel'] as const).map((action) => {
          const { icon: Icon, on } = buttons[action];
          if (doc.archived || !(on as readonly string[]).includes(doc.summary_state ?? '')) return null;
          const label = t(`knowledge:summary.act.${action}`);
          return <Tooltip key={action} label={label}><ActionIcon size="sm" variant="subtle" aria-label={label} loading={act.isPending && act.variables === action} onClick={() => act.mutate(action)}><Icon size={14} /></ActionIcon></Tooltip>;
        })}
      </Group>
      {failed && doc.summary_error ? <Text fz="xs" c="var(--mantine-color-error)" style={{ overflowWrap: 'anywhere' }}>{serverText(doc.summary_error)}</Text> : null}
    </Stack>
  );
}

/** A chunk's summary under its text; who may change the document changes it here, and adds one where it is `offered`. */
export function SegmentSummary({ datasetId, documentId, segment, editable, offered, refresh }: { datasetId: string; documentId: string; segment: Segment; editable: boolean; offered: boolean; refresh: () => unknown }) {
  const { t } = useTranslation();
  const [text, setText] = useState<string | null>(null);
  const save = useAct((summary: string) => knowledgeApi.changeSegment(datasetId, documentId, segment.id, { summary: summary.trim() || null }), {
    done: async () => {
      await refresh();
      setText(null);
    },
  });
  if (text !== null) {
    return (
      <Stack gap="xs" my={6}>
        <Textarea autosize autoFocus minRows={2} maxRows={10} maxLength={MAX_CHARS} label={t('knowledge:summary.of', { n: segment.position })} description={t('knowledge:summary.editText')} value={text} onChange={(event) => setText(event.currentTarget.value)} />
        <Group gap="xs" justify="flex-end">
          <Button size="xs" variant="default" onClick={() => setText(null)}>{t('action.cancel')}</Button>
          <Button size="xs" loading={save.isPending} onClick={() => save.mutate(text)}>{t('action.save')}</Button>
        </Group>
      </Stack>
    );
  }
  if (!segment.summary && !segment.summary_due) {
    return editable && offered ? <Button size="compact-xs" variant="subtle" mt={6} leftSection={<IconPencil size={14} />} onClick={() => setText('')}>{t('knowledge:summary.add')}</Button> : null;
  }
  return (
    <div className={css.summary} data-testid="summary">
      <Group gap={4} wrap="nowrap" align="flex-start">
        <Text fz="xs" c="dimmed" style={{ flex: 1, minWidth: 0 }}>{t('knowledge:summary.label')}{segment.summary_due ? ` · ${t('knowledge:summary.due')}` : ''}</Text>
        {editable ? <Tooltip label={t('knowledge:summary.edit', { n: segment.position })}><ActionIcon size="sm" aria-label={t('knowledge:summary.edit', { n: segment.position })} onClick={() => setText(segment.summary ?? '')}><IconPencil size={14} /></ActionIcon></Tooltip> : null}
      </Group>
      {segment.summary ? <Text fz="sm" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{segment.summary}</Text> : null}
    </div>
  );
}
