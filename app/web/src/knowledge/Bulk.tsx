import { ActionIcon, Button, Group, Menu, Modal, Stack, Text, TextInput } from '@mantine/core';
import { IconArchive, IconArchiveOff, IconBlockquote, IconCut, IconDots, IconDownload, IconEye, IconEyeOff, IconPencil, IconPlayerStop, IconTags, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { Doc } from '@/api/types';
import { useConfirm } from '@/ui/confirm';
import { useErrorText } from '@/ui/errors';
import { done, failed } from '@/ui/notify';
import { useAct } from '@/ui/useAct';

import { isWorking, knowledgeApi } from './api';
import css from './Knowledge.module.css';

export type DocumentAction = 'enable' | 'disable' | 'archive' | 'un_archive';

/** Pairs of questions and answers need no summaries. */
function canBeSummed(doc: Doc): boolean {
  return doc.indexing_status === 'completed' && !doc.archived && doc.doc_form !== 'qa_model';
}

/** What can be done with one document beside what its state asks for. */
export function RowMenu({ doc, original, rename, metadata, rechunk, summarise, status, stop, remove }: {
  doc: Doc;
  original: string;
  rename: () => void;
  metadata: () => void;
  rechunk: () => void;
  summarise: () => void;
  status: (action: DocumentAction) => void;
  stop: () => void;
  remove: () => void;
}) {
  const { t } = useTranslation();
  const done = doc.indexing_status === 'completed';
  return (
    <Menu>
      <Menu.Target>
        <ActionIcon aria-label={t('knowledge:more', { name: doc.name })}><IconDots size={18} /></ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconPencil size={16} />} onClick={rename}>{t('knowledge:rename')}</Menu.Item>
        <Menu.Item leftSection={<IconTags size={16} />} onClick={metadata}>{t('knowledge:metadata.edit')}</Menu.Item>
        {isWorking(doc) || doc.archived ? null : <Menu.Item leftSection={<IconCut size={16} />} onClick={rechunk}>{t('knowledge:rechunk.action')}</Menu.Item>}
        {canBeSummed(doc) ? <Menu.Item leftSection={<IconBlockquote size={16} />} onClick={summarise}>{t('knowledge:summary.action')}</Menu.Item> : null}
        <Menu.Item leftSection={<IconDownload size={16} />} component="a" href={original} download>{t('knowledge:original')}</Menu.Item>
        {done && !doc.archived ? (
          <Menu.Item leftSection={doc.enabled ? <IconEyeOff size={16} /> : <IconEye size={16} />} onClick={() => status(doc.enabled ? 'disable' : 'enable')}>{t(doc.enabled ? 'knowledge:bulk.disable' : 'knowledge:bulk.enable')}</Menu.Item>
        ) : null}
        {done ? (
          <Menu.Item leftSection={doc.archived ? <IconArchiveOff size={16} /> : <IconArchive size={16} />} onClick={() => status(doc.archived ? 'un_archive' : 'archive')}>{t(doc.archived ? 'knowledge:bulk.unarchive' : 'knowledge:bulk.archive')}</Menu.Item>
        ) : null}
        {isWorking(doc) || doc.indexing_status === 'paused' ? <Menu.Item leftSection={<IconPlayerStop size={16} />} onClick={stop}>{t('knowledge:stop')}</Menu.Item> : null}
        {doc.archived ? null : <Menu.Item color="brick" leftSection={<IconTrash size={16} />} onClick={remove}>{t('action.delete')}</Menu.Item>}
      </Menu.Dropdown>
    </Menu>
  );
}

/** Fetches pages again, one after the other; one that is gone does not keep the others from it. */
async function syncAll(datasetId: string, ids: string[]): Promise<{ changed: number; problem: unknown }> {
  let changed = 0;
  let problem: unknown = null;
  for (const id of ids) {
    try {
      if (isWorking(await knowledgeApi.sync(datasetId, id))) changed += 1;
    } catch (error) {
      problem ??= error;
    }
  }
  return { changed, problem };
}

/** What can be done with the chosen documents at once. */
export function Bulk({ datasetId, chosen, clear, refresh, metadata, rechunk, summarise }: { datasetId: string; chosen: Doc[]; clear: () => void; refresh: () => unknown; metadata: () => void; rechunk: () => void; summarise: () => void }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const text = useErrorText();
  const ids = chosen.map((doc) => doc.id);
  const after = async () => {
    clear();
    await refresh();
  };
  const status = useAct((action: DocumentAction) => knowledgeApi.status(datasetId, ids, action), { done: after });
  const remove = useAct(() => knowledgeApi.removeDocuments(datasetId, ids), { done: after });
  const sync = useAct(() => syncAll(datasetId, ids), {
    done: async ({ changed, problem }) => {
      if (problem) failed(t('error.title'), text(problem));
      else done(changed ? t('knowledge:site.synced', { count: changed }) : t('knowledge:site.same'));
      await after();
    },
  });
  const askRemove = async () => {
    if (await confirm({ title: t('knowledge:bulk.delete', { count: ids.length }), text: t('knowledge:delete.text'), confirm: t('action.delete') })) remove.mutate();
  };
  const archived = chosen.some((doc) => doc.archived);
  const busy = chosen.some(isWorking);
  return (
    <Group gap="xs" role="toolbar" aria-label={t('knowledge:bulk.label')} className={css.bulk}>
      <Text fz="sm" fw={550}>{t('knowledge:bulk.chosen', { count: ids.length })}</Text>
      <Button size="xs" variant="default" disabled={archived || busy} onClick={() => status.mutate('enable')}>{t('knowledge:bulk.enable')}</Button>
      <Button size="xs" variant="default" disabled={archived || busy} onClick={() => status.mutate('disable')}>{t('knowledge:bulk.disable')}</Button>
      {chosen.every((doc) => doc.archived) ? (
        <Button size="xs" variant="default" onClick={() => status.mutate('un_archive')}>{t('knowledge:bulk.unarchive')}</Button>
      ) : (
        <Button size="xs" variant="default" disabled={archived || busy} onClick={() => status.mutate('archive')}>{t('knowledge:bulk.archive')}</Button>
      )}
      <Button size="xs" variant="default" onClick={metadata}>{t('knowledge:metadata.edit')}</Button>
      <Button size="xs" variant="default" disabled={archived || busy} onClick={rechunk}>{t('knowledge:rechunk.action')}</Button>
      <Button size="xs" variant="default" disabled={!chosen.every(canBeSummed)} onClick={summarise}>{t('knowledge:summary.action')}</Button>
      {chosen.every((doc) => doc.data_source_type === 'website_crawl') ? <Button size="xs" variant="default" disabled={archived || busy} loading={sync.isPending} onClick={() => sync.mutate()}>{t('knowledge:site.sync')}</Button> : null}
      <Button size="xs" variant="light" color="brick" disabled={archived} loading={remove.isPending} onClick={() => void askRemove()}>{t('action.delete')}</Button>
      <Button size="xs" variant="subtle" onClick={clear}>{t('action.cancel')}</Button>
      {archived || busy ? <Text fz="xs" c="dimmed" w="100%">{t(archived ? 'knowledge:bulk.withArchived' : 'knowledge:bulk.withBusy')}</Text> : null}
    </Group>
  );
}

/** Gives a document another name. */
export function Rename({ datasetId, doc, close, refresh }: { datasetId: string; doc: Doc; close: () => void; refresh: () => unknown }) {
  const { t } = useTranslation();
  const [name, setName] = useState(doc.name);
  const save = useAct(() => knowledgeApi.rename(datasetId, doc.id, name.trim()), {
    done: async () => {
      close();
      await refresh();
    },
  });
  return (
    <Modal opened onClose={close} title={t('knowledge:rename')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim()) save.mutate();
        }}
      >
        <Stack>
          <TextInput data-autofocus label={t('knowledge:column.name')} maxLength={255} value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>{t('action.cancel')}</Button>
            <Button type="submit" loading={save.isPending} disabled={!name.trim()}>{t('action.save')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
