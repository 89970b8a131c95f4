import { ActionIcon, Tooltip } from '@mantine/core';
import { IconApps, IconBooks, IconCpu, IconLogout, IconSearch, IconServer2, IconTool } from '@tabler/icons-react';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import { useTranslation } from '@/i18n';
import { Link, NavLink, Outlet, useLocation } from 'react-router';

import { useLogout } from '@/auth/session';

import { Mark } from './Mark';
import { LanguageMenu, ThemeMenu } from './Preferences';
import css from './Shell.module.css';
import { RowSkeletons } from './states';

const Palette = lazy(() => import('./Palette'));

export const NAV = [
  { to: '/apps', key: 'nav.studio', icon: IconApps },
  { to: '/knowledge', key: 'nav.knowledge', icon: IconBooks },
  { to: '/models', key: 'nav.models', icon: IconCpu },
  { to: '/tools', key: 'nav.tools', icon: IconTool },
  { to: '/box', key: 'nav.box', icon: IconServer2 },
] as const;

const COMMAND = /Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘K' : 'Ctrl K';

function Items() {
  const { t } = useTranslation();
  return NAV.map(({ to, key, icon: Icon }) => (
    <NavLink key={to} to={to} className={css.item}>
      <Icon size={20} stroke={1.7} aria-hidden />
      <span>{t(key)}</span>
    </NavLink>
  ));
}

/** Sidebar on a wide screen, bottom bar on a phone, and the palette on Ctrl+K. */
export function Shell() {
  const { t } = useTranslation();
  const logout = useLogout();
  const [palette, setPalette] = useState<'never' | 'open' | 'closed'>('never');
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const first = useRef(true);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        setPalette((now) => (now === 'open' ? 'closed' : 'open'));
      }
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);

  // A new page starts at its top, and a screen reader starts there too.
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [pathname]);

  const search = (
    <ActionIcon size="lg" aria-label={t('palette.open')} onClick={() => setPalette('open')}>
      <IconSearch size={20} stroke={1.6} />
    </ActionIcon>
  );
  const leave = (
    <Tooltip label={t('auth:logout')}>
      <ActionIcon size="lg" aria-label={t('auth:logout')} onClick={() => logout.mutate()} ml="auto">
        <IconLogout size={20} stroke={1.6} />
      </ActionIcon>
    </Tooltip>
  );

  return (
    <div className={css.frame}>
      <a href="#main" className="sp-skip">
        {t('nav.skip')}
      </a>
      <aside className={css.side}>
        <Link to="/apps" className={css.brand}>
          <Mark size={34} /> Sparrow
        </Link>
        <button type="button" className={css.search} onClick={() => setPalette('open')}>
          <IconSearch size={16} aria-hidden /> {t('palette.open')} <kbd>{COMMAND}</kbd>
        </button>
        <nav className={css.nav} aria-label={t('nav.label')}>
          <Items />
        </nav>
        <div className={css.foot}>
          <LanguageMenu />
          <ThemeMenu />
          {leave}
        </div>
      </aside>
      <header className={css.top}>
        <Link to="/apps" className={css.brand}>
          <Mark size={30} /> Sparrow
        </Link>
        {search}
        <LanguageMenu />
        <ThemeMenu />
        {leave}
      </header>
      <main className={css.main} id="main" ref={main} tabIndex={-1}>
        <Suspense fallback={<div style={{ padding: 32 }}><RowSkeletons /></div>}>
          <Outlet />
        </Suspense>
      </main>
      <nav className={css.bottom} aria-label={t('nav.label')}>
        <Items />
      </nav>
      {palette === 'never' ? null : (
        <Suspense fallback={null}>
          <Palette open={palette === 'open'} onClose={() => setPalette('closed')} />
        </Suspense>
      )}
    </div>
  );
}
