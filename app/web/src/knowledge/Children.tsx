import { ActionIcon, Button, Group, Stack, Text, Textarea } from '@mantine/core';
import { IconPencil, IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { Segment } from '@/api/types';
import { useConfirm } from '@/ui/confirm';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import css from './Knowledge.module.css';

type Child = NonNullable<Segment['child_chunks']>[number];

function ChildEditor({ label, content, save, saving, close }: { label: string; content: string; save: (content: string) => void; saving: boolean; close: () => void }) {
  const { t } = useTranslation();
  const [text, setText] = useState(content);
  return (
    <Stack gap="xs" my={6}>
      <Textarea autosize autoFocus minRows={2} maxRows={10} maxLength={40000} aria-label={label} value={text} onChange={(event) => setText(event.currentTarget.value)} />
      <Group gap="xs" justify="flex-end">
        <Button size="xs" variant="default" onClick={close}>{t('action.cancel')}</Button>
        <Button size="xs" loading={saving} disabled={!text.trim()} onClick={() => save(text.trim())}>{t('action.save')}</Button>
      </Group>
    </Stack>
  );
}

/** The child chunks by which a passage is found; who may change the document changes them here. */
export function Children({ datasetId, documentId, segment, editable, refresh }: { datasetId: string; documentId: string; segment: Segment; editable: boolean; refresh: () => unknown }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const children = segment.child_chunks ?? [];
  // A whole document as parent has hundreds.
  const [shown, setShown] = useState(false);
  const [editing, setEditing] = useState<Child | 'new' | null>(null);
  const save = useAct(
    (content: string) => (editing === 'new' || !editing ? knowledgeApi.addChild(datasetId, documentId, segment.id, content) : knowledgeApi.changeChild(datasetId, documentId, segment.id, editing.id, content)),
    {
      done: async () => {
        await refresh();
        setEditing(null);
      },
    },
  );
  const remove = useAct((child: string) => knowledgeApi.removeChild(datasetId, documentId, segment.id, child), { done: refresh });
  const askRemove = async (child: Child) => {
    if (await confirm({ title: t('knowledge:child.deleteTitle'), text: child.content.length > 200 ? `${child.content.slice(0, 200)}…` : child.content, confirm: t('action.delete') })) remove.mutate(child.id);
  };
  const editor = (label: string, content: string) => <ChildEditor label={label} content={content} saving={save.isPending} save={save.mutate} close={() => setEditing(null)} />;
  const list = () => (
    <>
      {children.length === 0 ? <Text fz="xs" c="dimmed">{t('knowledge:child.none')}</Text> : null}
      <ol>
        {children.map((child, i) => (
          <li key={child.id} className={css.found}>
            {editing !== 'new' && editing?.id === child.id ? (
              editor(t('knowledge:child.text', { n: i + 1 }), child.content)
            ) : (
              <Group gap="xs" wrap="nowrap" align="flex-start">
                <div className={css.childText}>{child.content}</div>
                {editable ? (
                  <Group gap={2} wrap="nowrap">
                    <ActionIcon size="sm" title={t('knowledge:child.edit', { n: i + 1 })} aria-label={t('knowledge:child.edit', { n: i + 1 })} onClick={() => setEditing(child)}><IconPencil size={14} /></ActionIcon>
                    <ActionIcon size="sm" title={t('knowledge:child.delete', { n: i + 1 })} aria-label={t('knowledge:child.delete', { n: i + 1 })} onClick={() => void askRemove(child)}><IconTrash size={14} /></ActionIcon>
                  </Group>
                ) : null}
              </Group>
            )}
          </li>
        ))}
      </ol>
      {editing === 'new' ? editor(t('knowledge:child.new'), '') : null}
      {editable && editing !== 'new' ? <Button mt={6} size="xs" variant="subtle" leftSection={<IconPlus size={14} />} onClick={() => setEditing('new')}>{t('knowledge:child.add')}</Button> : null}
    </>
  );
  return (
    <details className={css.children} onToggle={(event) => setShown(event.currentTarget.open)}>
      <summary>{t('knowledge:segments.children', { count: children.length })}</summary>
      {shown ? list() : null}
    </details>
  );
}
