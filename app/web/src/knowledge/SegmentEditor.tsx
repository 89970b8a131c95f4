import { Button, Checkbox, Group, Modal, Stack, TagsInput, Textarea } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { Segment } from '@/api/types';
import { useFiles } from '@/chat/useFiles';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import { beside, ImageField, imageRules, MOST, pasteInto } from './Images';

/** Adds a chunk to a document, or changes one. */
export function SegmentEditor({ datasetId, documentId, segment, qa, close, saved }: {
  datasetId: string;
  documentId: string;
  segment?: Segment;
  qa: boolean;
  close: () => void;
  saved: () => unknown;
}) {
  const { t } = useTranslation();
  const [content, setContent] = useState(segment?.content ?? '');
  const [answer, setAnswer] = useState(segment?.answer ?? '');
  const [anew, setAnew] = useState(true);
  const [keywords, setKeywords] = useState<string[]>(segment?.keywords ?? []);
  const [kept, setKept] = useState(beside(segment?.attachments, segment?.content, segment?.answer));
  const room = MOST - kept.length;
  const files = useFiles(imageRules(room), knowledgeApi.uploadImage);
  const save = useAct(
    async () => {
      const values = { content: content.trim(), keywords, attachment_ids: [...kept.map((image) => image.id), ...files.ids], ...(qa ? { answer: answer.trim() } : {}), ...(segment?.child_chunks?.length ? { regenerate_child_chunks: anew } : {}) };
      if (segment) await knowledgeApi.changeSegment(datasetId, documentId, segment.id, values);
      else await knowledgeApi.addSegment(datasetId, documentId, values);
    },
    {
      done: () => {
        void saved();
        close();
      },
    },
  );
  return (
    <Modal opened onClose={close} size="lg" title={segment ? t('knowledge:segments.edit', { n: segment.position }) : t('knowledge:segments.add')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Stack onPaste={pasteInto(files)}>
        <Textarea data-autofocus autosize minRows={5} maxRows={18} maxLength={40000} label={qa ? t('knowledge:segments.question') : t('knowledge:segments.content')} value={content} onChange={(event) => setContent(event.currentTarget.value)} />
        {qa ? <Textarea autosize minRows={3} maxRows={12} label={t('knowledge:segments.answer')} value={answer} onChange={(event) => setAnswer(event.currentTarget.value)} /> : null}
        <TagsInput label={t('knowledge:segments.keywords')} description={t('knowledge:segments.keywordsText')} value={keywords} onChange={setKeywords} />
        <ImageField files={files} limit={room} text={t('knowledge:images.text')} kept={kept} remove={(image) => setKept(kept.filter((one) => one.id !== image.id))} />
        {segment?.child_chunks?.length ? <Checkbox label={t('knowledge:segments.regenerate')} checked={anew} onChange={(event) => setAnew(event.currentTarget.checked)} /> : null}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>{t('action.cancel')}</Button>
          <Button loading={save.isPending} disabled={!content.trim() || (qa && !answer.trim()) || files.busy} onClick={() => save.mutate()}>{t('action.save')}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
