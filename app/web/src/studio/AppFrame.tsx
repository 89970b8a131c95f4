import { Group, Skeleton, Text } from '@mantine/core';
import { IconChevronLeft, IconHistory, IconMessageCheck, IconPencilBolt, IconSchema, IconVersions, IconWorldShare } from '@tabler/icons-react';
import { useTranslation } from '@/i18n';
import { Link, NavLink, Outlet, useNavigate, useOutletContext, useParams } from 'react-router';

import type { App } from '@/api/types';
import { AppIcon } from '@/ui/AppIcon';
import { isGone } from '@/ui/errors';
import NotFound from '@/ui/NotFound';
import { Within } from '@/ui/Page';
import { Failed } from '@/ui/states';
import css from '@/ui/Tabs.module.css';

import { useApp } from './api';
import { AppMenu } from './AppCard';

export function isGraph(app: App): boolean {
  return app.mode === 'advanced-chat' || app.mode === 'workflow';
}

/** Whether people converse with the app, so that a question may have a fixed answer. */
function talks(app: App | undefined): boolean {
  return app?.mode === 'chat' || app?.mode === 'agent-chat' || app?.mode === 'advanced-chat';
}

/** The app that the surrounding frame shows. */
export function useFrameApp(): App {
  return useOutletContext<App>();
}

/** Head and tabs of one app. */
export default function AppFrame() {
  const { t } = useTranslation();
  const { appId = '' } = useParams();
  const navigate = useNavigate();
  const app = useApp(appId);
  if (isGone(app.error)) return <NotFound />;
  if (app.error && !app.data) return <Failed error={app.error} retry={() => app.refetch()} />;
  const editor = app.data && isGraph(app.data) ? 'flow' : 'prompt';
  const tabs = [
    { to: editor, label: t(`studio:tab.${editor}`), icon: editor === 'flow' ? IconSchema : IconPencilBolt },
    { to: 'access', label: t('studio:tab.access'), icon: IconWorldShare },
    { to: 'logs', label: t('studio:tab.logs'), icon: IconHistory },
    ...(talks(app.data) ? [{ to: 'annotations', label: t('studio:tab.annotations'), icon: IconMessageCheck }] : []),
    { to: 'versions', label: t('studio:tab.versions'), icon: IconVersions },
  ];
  return (
    <div className={css.frame}>
      <header className={css.head}>
        <Link to="/apps" className={css.back} aria-label={t('studio:back')}>
          <IconChevronLeft size={20} />
        </Link>
        {app.data ? (
          <Group gap={10} wrap="nowrap" className={css.title}>
            <AppIcon app={app.data} size={34} />
            <div style={{ minWidth: 0 }}>
              <Text fw={650} truncate component="p" lh={1.25} m={0}>
                {app.data.name}
              </Text>
              <Text c="dimmed" fz="xs" truncate>
                {t(`studio:mode.${app.data.mode}.name`)}
              </Text>
            </div>
          </Group>
        ) : (
          <Skeleton w={180} h={34} />
        )}
        <nav className={css.tabs} aria-label={t('studio:tab.label')}>
          {tabs.map(({ to, label, icon: Icon }) => (
            <NavLink key={to} to={`/apps/${appId}/${to}`} className={css.tab}>
              <Icon size={18} stroke={1.7} aria-hidden /> <span>{label}</span>
            </NavLink>
          ))}
        </nav>
        {app.data ? (
          <div className={css.menu}>
            <AppMenu app={app.data} onDeleted={() => void navigate('/apps')} />
          </div>
        ) : null}
      </header>
      {app.data ? <Within value={app.data.name}><Outlet context={app.data} key={appId} /></Within> : null}
    </div>
  );
}
