import { Alert, Button, FileButton, Group, Modal, Progress, Stack, Text } from '@mantine/core';
import { IconFileImport } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from '@/i18n';
import { useNavigate } from 'react-router';

import { useErrorText } from '@/ui/errors';
import { count } from '@/ui/format';
import { serverText } from '@/ui/serverText';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import { uploadInPieces } from './pieces';

const STAGES = ['waiting', 'checking', 'files', 'passages', 'done'] as const;

/** A whole knowledge base from a file another box made: upload, then the box's own progress. */
export default function ImportDataset({ close }: { close: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [share, setShare] = useState(0);
  const [job, setJob] = useState<string | null>(null);
  const abort = useRef<AbortController | null>(null);
  const start = useAct(
    async (file: File) => {
      abort.current = new AbortController();
      const stored = await uploadInPieces(file, setShare, abort.current.signal);
      return knowledgeApi.import(stored.id);
    },
    { quiet: true, done: (state) => setJob(state.id) },
  );
  const state = useQuery({
    queryKey: ['dataset-import', job],
    queryFn: () => knowledgeApi.importState(job ?? ''),
    enabled: Boolean(job),
    refetchInterval: (query) => (query.state.data && !['queued', 'running'].includes(query.state.data.state) ? false : 700),
  });
  const made = state.data?.dataset_id;
  useEffect(() => {
    if (!made) return;
    void client.invalidateQueries({ queryKey: ['datasets'] });
    void navigate(`/knowledge/${made}`);
  }, [made, client, navigate]);
  const ended = state.data && !['queued', 'running', 'succeeded'].includes(state.data.state);
  const busy = start.isPending || (Boolean(job) && !ended);
  const stage = STAGES.find((entry) => entry === state.data?.stage) ?? 'waiting';
  const stop = () => {
    abort.current?.abort();
    if (job && !ended) void knowledgeApi.stopImport(job).catch(() => undefined);
    close();
  };
  const problem = start.error ? text(start.error) : ended ? serverText(state.data.error ?? t('knowledge:import.stopped')) : null;
  return (
    <Modal opened onClose={stop} closeOnClickOutside={!busy} title={t('knowledge:import.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Stack>
        <Text c="dimmed" fz="sm">{t('knowledge:import.text')}</Text>
        {problem ? <Alert color="brick" role="alert">{problem}</Alert> : null}
        {busy ? (
          <div aria-live="polite">
            <Progress
              animated
              value={job ? (state.data?.total ? (100 * state.data.done) / state.data.total : 0) : share * 100}
              aria-label={t('knowledge:import.title')}
            />
            <Text fz="xs" c="dimmed" mt={6} className="sp-num">
              {t(`knowledge:import.${job ? stage : 'uploading'}`)}
              {job && stage !== 'checking' && state.data?.total ? ` · ${count(state.data.done)}/${count(state.data.total)}` : ''}
            </Text>
          </div>
        ) : null}
        <Group justify="flex-end">
          <Button variant="default" onClick={stop}>{t('action.cancel')}</Button>
          <FileButton
            accept=".sparrow-knowledge,.zip"
            onChange={(file) => {
              if (!file) return;
              setJob(null);
              setShare(0);
              start.mutate(file);
            }}
          >
            {(props) => <Button {...props} loading={busy} leftSection={<IconFileImport size={18} />}>{t('knowledge:import.choose')}</Button>}
          </FileButton>
        </Group>
      </Stack>
    </Modal>
  );
}
