import { Alert, Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { Dataset, Doc, ProcessRule } from '@/api/types';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import { ChunkingForm } from './Chunking';
import { docForm, fromRule, toRule } from './rules';

/** Cuts documents anew: the setting, how each of them would look, and the start. */
export function Rechunk({ dataset, docs, close, done }: { dataset: Dataset; docs: Doc[]; close: () => void; done: () => unknown }) {
  const { t } = useTranslation();
  const [chunking, setChunking] = useState(() => fromRule(dataset.process_rule as ProcessRule | null, dataset.doc_form));
  const start = useAct(() => knowledgeApi.rechunk(dataset.id, docs.map((doc) => doc.id), toRule(chunking)), {
    done: async () => {
      close();
      await done();
    },
  });
  return (
    <Modal opened onClose={close} size="xl" title={t('knowledge:rechunk.title', { count: docs.length })} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Stack>
        <Text fz="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>{docs.slice(0, 5).map((doc) => doc.name).join(', ')}{docs.length > 5 ? ' …' : ''}</Text>
        <ChunkingForm
          value={chunking}
          form={dataset.doc_form}
          onChange={setChunking}
          samples={docs.map((doc) => ({ value: doc.id, label: doc.name }))}
          estimate={(document_id) => knowledgeApi.estimate({ dataset_id: dataset.id, document_id, process_rule: toRule(chunking), doc_form: docForm(chunking), doc_language: chunking.language })}
        />
        <Alert color="sparrow">{t('knowledge:rechunk.text')}</Alert>
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>{t('action.cancel')}</Button>
          <Button loading={start.isPending} onClick={() => start.mutate()}>{t('knowledge:rechunk.start')}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
