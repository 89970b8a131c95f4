import { Anchor, Group, Text } from '@mantine/core';
import { IconMessageChatbot } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from '@/i18n';
import { Link } from 'react-router';

import { Failed, RowSkeletons } from '@/ui/states';

import { knowledgeApi } from './api';

export function useApps(datasetId: string) {
  return useQuery({ queryKey: ['datasets', 'apps', datasetId], queryFn: () => knowledgeApi.apps(datasetId) });
}

/** The apps that use a base. */
export function UsedBy({ datasetId }: { datasetId: string }) {
  const { t } = useTranslation();
  const apps = useApps(datasetId);
  if (apps.isPending) return <RowSkeletons n={1} />;
  if (apps.error) return <Failed error={apps.error} retry={() => apps.refetch()} />;
  if (apps.data.data.length === 0) return <Text fz="sm" c="dimmed">{t('knowledge:usage.none')}</Text>;
  return (
    <Group component="ul" gap="sm" p={0} m={0} style={{ listStyle: 'none' }}>
      {apps.data.data.map((app) => (
        <Group key={app.id} component="li" gap={6} wrap="nowrap">
          <IconMessageChatbot size={18} stroke={1.5} aria-hidden style={{ flex: 'none' }} />
          <Anchor component={Link} to={`/apps/${app.id}`} fz="sm" style={{ overflowWrap: 'anywhere' }}>{app.name}</Anchor>
        </Group>
      ))}
    </Group>
  );
}
