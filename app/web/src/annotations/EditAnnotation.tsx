import { Button, Group, Modal, Stack, Textarea } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import { done } from '@/ui/notify';
import { useAct } from '@/ui/useAct';

import { annotationApi } from './api';

/** A question and the answer it always gets: a new one, one of the list, or one made of a logged message. */
export function EditAnnotation({ appId, id, messageId, question: asked = '', answer: said = '', onClose }: {
  appId: string;
  id?: string;
  messageId?: string;
  question?: string;
  answer?: string;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [question, setQuestion] = useState(asked);
  const [answer, setAnswer] = useState(said);
  const save = useAct(() => annotationApi.save(appId, id, { question: question.trim(), answer: answer.trim(), ...(messageId ? { message_id: messageId } : {}) }), {
    done: async () => {
      onClose();
      done(t('state.saved'));
      await client.invalidateQueries({ queryKey: ['apps', 'annotations', appId] });
    },
  });
  return (
    <Modal opened onClose={onClose} size="lg" title={t(id ? 'annotations:edit' : 'annotations:add')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack>
          <Textarea data-autofocus label={t('annotations:question')} autosize minRows={2} maxRows={8} value={question} onChange={(event) => setQuestion(event.currentTarget.value)} />
          <Textarea label={t('annotations:answer')} description={t('annotations:answerText')} autosize minRows={4} maxRows={16} value={answer} onChange={(event) => setAnswer(event.currentTarget.value)} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>{t('action.cancel')}</Button>
            <Button type="submit" loading={save.isPending} disabled={!question.trim() || !answer.trim()}>{t('action.save')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
