import { Skeleton, Text } from '@mantine/core';
import { IconChartBar, IconChevronLeft, IconFiles, IconSettings, IconZoomQuestion } from '@tabler/icons-react';
import { useTranslation } from '@/i18n';
import { Link, Outlet, useLocation, useOutletContext, useParams } from 'react-router';

import type { Dataset } from '@/api/types';
import { isGone } from '@/ui/errors';
import NotFound from '@/ui/NotFound';
import { Within } from '@/ui/Page';
import { Failed } from '@/ui/states';
import css from '@/ui/Tabs.module.css';

import { useDataset } from './api';

export function useFrameDataset(): Dataset {
  return useOutletContext<Dataset>();
}

/** Head and tabs of one knowledge base. */
export default function DatasetFrame() {
  const { t } = useTranslation();
  const { datasetId = '' } = useParams();
  const { pathname } = useLocation();
  const dataset = useDataset(datasetId);
  if (isGone(dataset.error)) return <NotFound back={{ to: '/knowledge', label: t('knowledge:title') }} />;
  if (dataset.error && !dataset.data) return <Failed error={dataset.error} retry={() => dataset.refetch()} />;
  const external = dataset.data?.provider === 'external';
  const base = `/knowledge/${datasetId}`;
  const tabs = [
    ...(external ? [] : [{ to: base, label: t('knowledge:tab.documents'), icon: IconFiles }]),
    { to: `${base}/test`, label: t('knowledge:tab.test'), icon: IconZoomQuestion },
    ...(external ? [] : [{ to: `${base}/statistics`, label: t('knowledge:tab.statistics'), icon: IconChartBar }]),
    { to: `${base}/settings`, label: t('knowledge:tab.settings'), icon: IconSettings },
  ];
  // What has no tab of its own, a document or adding some, belongs to the documents.
  const here = tabs.find(({ to }) => to === pathname)?.to ?? base;
  return (
    <div className={css.frame}>
      <header className={css.head}>
        <Link to="/knowledge" className={css.back} aria-label={t('knowledge:back')}>
          <IconChevronLeft size={20} />
        </Link>
        {dataset.data ? (
          <div className={css.title}>
            <Text fw={650} truncate component="p" lh={1.25} m={0}>
              {dataset.data.name}
            </Text>
            <Text c="dimmed" fz="xs">
              {external ? t('knowledge:external.of', { name: dataset.data.external_knowledge_info?.external_knowledge_api_name ?? '' }) : t('knowledge:documents', { count: dataset.data.document_count })}
            </Text>
          </div>
        ) : (
          <Skeleton w={180} h={34} />
        )}
        <nav className={css.tabs} aria-label={t('knowledge:tab.label')}>
          {tabs.map(({ to, label, icon: Icon }) => (
            <Link key={to} to={to} className={css.tab} aria-current={to === here ? 'page' : undefined}>
              <Icon size={18} stroke={1.7} aria-hidden /> <span>{label}</span>
            </Link>
          ))}
        </nav>
      </header>
      {dataset.data ? <Within value={dataset.data.name}><Outlet context={dataset.data} key={datasetId} /></Within> : null}
    </div>
  );
}
