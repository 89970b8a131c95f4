import { Button, Checkbox, Group, Modal, Stack, Text } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { App } from '@/api/types';
import { useAct } from '@/ui/useAct';

import { appApi, fileName, saveText } from './api';

export function ExportApp({ app, open, onClose }: { app: App; open: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const [secrets, setSecrets] = useState(false);
  const fetchDsl = useAct(() => appApi.exportDsl(app.id, secrets), {
    done: ({ data }) => {
      saveText(fileName(app.name, 'yml'), data, 'application/yaml');
      onClose();
    },
  });
  return (
    <Modal opened={open} onClose={onClose} title={t('studio:export.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Stack>
        <Text fz="sm">{t('studio:export.text')}</Text>
        <Checkbox
          checked={secrets}
          onChange={(event) => setSecrets(event.currentTarget.checked)}
          label={t('studio:export.secrets')}
          description={t('studio:export.secretsText')}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('action.cancel')}
          </Button>
          <Button leftSection={<IconDownload size={18} />} loading={fetchDsl.isPending} onClick={() => fetchDsl.mutate()} data-autofocus>
            {t('action.download')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
