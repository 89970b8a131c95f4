import { Alert, Button, FileButton, Group, List, Modal, Stack, Text, Textarea } from '@mantine/core';
import { IconAlertTriangle, IconCheck, IconFileUpload } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState, type DragEvent } from 'react';
import { useTranslation } from '@/i18n';
import { useNavigate } from 'react-router';

import type { ImportResult } from '@/api/types';
import { useErrorText } from '@/ui/errors';
import { serverText } from '@/ui/serverText';
import { useAct } from '@/ui/useAct';

import { appApi, MAX_DSL_BYTES, refreshApps } from './api';

/** Brings in an app exported elsewhere and shows what needs attention afterwards. */
export function ImportApp({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [yaml, setYaml] = useState('');
  const [file, setFile] = useState('');
  const [problem, setProblem] = useState('');
  const [result, setResult] = useState<ImportResult | null>(null);

  const reset = () => {
    setYaml('');
    setFile('');
    setProblem('');
    setResult(null);
    onClose();
  };
  const settle = async (answer: ImportResult) => {
    await refreshApps(client);
    if (answer.status === 'completed' && !answer.warnings?.length && answer.app_id) {
      reset();
      void navigate(`/apps/${answer.app_id}`);
    } else if (answer.status === 'failed') {
      setResult(null);
      setProblem(serverText(answer.error) || t('studio:import.invalid'));
    } else {
      setResult(answer);
    }
  };
  const start = useAct(() => appApi.importDsl(yaml), { quiet: true, done: settle });
  const confirm = useAct((id: string) => appApi.confirmImport(id), { quiet: true, done: settle });

  const take = async (chosen: File | null | undefined) => {
    if (!chosen) return;
    setProblem('');
    if (chosen.size > MAX_DSL_BYTES) {
      setProblem(t('studio:import.tooLarge'));
      return;
    }
    setFile(chosen.name);
    setYaml(await chosen.text());
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    void take(event.dataTransfer.files[0]);
  };
  const error = problem || (start.error ? text(start.error) : confirm.error ? text(confirm.error) : '');

  return (
    <Modal opened={open} onClose={reset} size="lg" title={t('studio:import.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      {result ? (
        <Stack>
          {result.status === 'pending' ? (
            <Alert color="sparrow" icon={<IconAlertTriangle size={20} />} title={t('studio:import.newer')}>
              {t('studio:import.newerText', { imported: result.imported_dsl_version, current: result.current_dsl_version })}
            </Alert>
          ) : (
            <Alert color="moss" icon={<IconCheck size={20} />} title={t('studio:import.done')}>
              {result.warnings?.length ? t('studio:import.doneText', { count: result.warnings.length }) : null}
            </Alert>
          )}
          {result.warnings?.length ? (
            <List spacing="xs" icon={<IconAlertTriangle size={18} color="var(--sp-accent)" />}>
              {result.warnings.map((warning, i) => (
                <List.Item key={`${warning.code}-${i}`}>
                  <Text fz="sm" fw={600} span>
                    {warning.title ?? warning.code}
                  </Text>
                  <Text fz="sm" c="dimmed">
                    {serverText(warning.message)}
                  </Text>
                </List.Item>
              ))}
            </List>
          ) : null}
          <Group justify="flex-end">
            <Button variant="default" onClick={reset}>
              {t('action.close')}
            </Button>
            {result.status === 'pending' ? (
              <Button loading={confirm.isPending} onClick={() => confirm.mutate(result.id)}>
                {t('studio:import.anyway')}
              </Button>
            ) : (
              <Button
                onClick={() => {
                  reset();
                  if (result.app_id) void navigate(`/apps/${result.app_id}`);
                }}
              >
                {t('studio:import.open')}
              </Button>
            )}
          </Group>
        </Stack>
      ) : (
        <Stack onDragOver={(event) => event.preventDefault()} onDrop={drop}>
          <Text fz="sm" c="dimmed">
            {t('studio:import.text')}
          </Text>
          <Group>
            <FileButton accept=".yml,.yaml,.json,text/yaml" onChange={(chosen) => void take(chosen)}>
              {(props) => (
                <Button {...props} variant="default" leftSection={<IconFileUpload size={18} />} data-autofocus>
                  {t('studio:import.choose')}
                </Button>
              )}
            </FileButton>
            <Text fz="sm" c="dimmed">
              {file || t('studio:import.drop')}
            </Text>
          </Group>
          <Textarea
            label={t('studio:import.paste')}
            value={yaml}
            onChange={(event) => setYaml(event.currentTarget.value)}
            rows={10}
            spellCheck={false}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
          />
          {error ? (
            <Alert color="brick" icon={<IconAlertTriangle size={20} />} title={t('studio:import.failed')} role="alert">
              {error}
            </Alert>
          ) : null}
          <Group justify="flex-end">
            <Button variant="default" onClick={reset}>
              {t('action.cancel')}
            </Button>
            <Button
              loading={start.isPending}
              disabled={!yaml.trim()}
              onClick={() => {
                setProblem('');
                start.mutate();
              }}
            >
              {t('studio:import.start')}
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}
