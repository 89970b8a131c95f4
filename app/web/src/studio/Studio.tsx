import { Button, Group, SegmentedControl, Select, SimpleGrid, Stack } from '@mantine/core';
import { IconFileImport, IconPlus } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';
import { useSearchParams } from 'react-router';

import { Pages, SearchField, useListing } from '@/ui/Listing';
import { Page } from '@/ui/Page';
import { CardSkeletons, Empty, Failed } from '@/ui/states';

import { appApi, MODES, useAppTags } from './api';
import { AppCard } from './AppCard';
import { CreateApp } from './CreateApp';
import { FirstSteps } from './FirstSteps';
import { ImportApp } from './ImportApp';

export default function Studio() {
  const { t } = useTranslation();
  const [params, setParams] = useSearchParams();
  const place = useListing();
  const { page, setPage, wanted } = place;
  const [mode, setMode] = useState('all');
  const [tag, setTag] = useState('');
  const tags = useAppTags();
  const [importing, setImporting] = useState(false);
  const creating = params.has('create');
  const setCreating = (open: boolean) => setParams(open ? { create: '1' } : {}, { replace: true });

  const apps = useQuery({
    queryKey: ['apps', 'list', page, wanted, mode, tag],
    queryFn: () => appApi.list(page, wanted, mode, tag),
    placeholderData: keepPreviousData,
  });
  const filtered = Boolean(wanted) || mode !== 'all' || tag !== '';
  const none = apps.data?.total === 0 && !filtered;

  return (
    <Page
      wide
      title={t('studio:title')}
      description={none ? undefined : t('studio:text')}
      actions={
        <>
          <Button variant="default" leftSection={<IconFileImport size={18} />} onClick={() => setImporting(true)}>
            {t('studio:import.action')}
          </Button>
          <Button leftSection={<IconPlus size={18} />} onClick={() => setCreating(true)}>
            {t('studio:create.action')}
          </Button>
        </>
      }
    >
      {none ? (
        <FirstSteps onCreate={() => setCreating(true)} />
      ) : (
        <Stack gap="lg">
          <Group gap="sm">
            <SearchField label={t('studio:search')} place={place} />
            <div style={{ overflowX: 'auto', maxWidth: '100%' }}>
              <SegmentedControl
                aria-label={t('studio:filter')}
                value={mode}
                onChange={(value) => {
                  setMode(value);
                  setPage(1);
                }}
                data={[
                  { value: 'all', label: t('studio:all') },
                  ...MODES.map((value) => ({ value, label: t(`studio:mode.${value}.name`) })),
                ]}
              />
            </div>
            {tags.data?.length ? (
              <Select
                aria-label={t('studio:tags.filter')}
                placeholder={t('studio:tags.filter')}
                w={{ base: '100%', xs: 180 }}
                clearable
                clearButtonProps={{ 'aria-label': t('studio:tags.all') }}
                data={tags.data}
                value={tag || null}
                onChange={(next) => {
                  setTag(next ?? '');
                  setPage(1);
                }}
              />
            ) : null}
          </Group>
          {apps.isPending ? (
            <CardSkeletons />
          ) : apps.error ? (
            <Failed error={apps.error} retry={() => apps.refetch()} />
          ) : apps.data.data.length === 0 ? (
            <Empty title={t('studio:noMatch')}>{t('studio:noMatchText')}</Empty>
          ) : (
            <SimpleGrid cols={{ base: 1, sm: 2, lg: 3, xl: 4 }} component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
              {apps.data.data.map((app) => (
                <AppCard key={app.id} app={app} />
              ))}
            </SimpleGrid>
          )}
          {apps.data ? <Pages of={apps.data} place={place} /> : null}
        </Stack>
      )}
      <CreateApp open={creating} onClose={() => setCreating(false)} />
      <ImportApp open={importing} onClose={() => setImporting(false)} />
    </Page>
  );
}
