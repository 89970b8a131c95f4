import { ActionIcon, Tooltip } from '@mantine/core';
import { IconKeyboard, IconLogout, IconSearch } from '@tabler/icons-react';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import { useTranslation } from '@/i18n';
import { Link, NavLink, Outlet, useLocation } from 'react-router';

import { useLogout } from '@/auth/session';

import { Mark } from './Mark';
import { COMMAND, NAV } from './places';
import { LanguageMenu, ThemeMenu } from './Preferences';
import css from './Shell.module.css';
import { RowSkeletons } from './states';
import { useShortcuts } from './useShortcuts';

const Palette = lazy(() => import('./Palette'));
const Shortcuts = lazy(() => import('./Shortcuts'));

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

  const [keys, setKeys] = useState(false);
  useShortcuts({ onPalette: () => setPalette((now) => (now === 'open' ? 'closed' : 'open')), onHelp: () => setKeys(true) });

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
          <Tooltip label={t('keys.title')}>
            <ActionIcon size="lg" aria-label={t('keys.title')} onClick={() => setKeys(true)}>
              <IconKeyboard size={20} stroke={1.6} />
            </ActionIcon>
          </Tooltip>
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
      {keys ? (
        <Suspense fallback={null}>
          <Shortcuts onClose={() => setKeys(false)} />
        </Suspense>
      ) : null}
      {palette === 'never' ? null : (
        <Suspense fallback={null}>
          <Palette open={palette === 'open'} onClose={() => setPalette('closed')} />
        </Suspense>
      )}
    </div>
  );
}
