import { IconApps, IconBooks, IconCpu, IconServer2, IconTool } from '@tabler/icons-react';

/** The console's main pages; `letter` opens one after G. */
export const NAV = [
  { to: '/apps', key: 'nav.studio', icon: IconApps, letter: 's' },
  { to: '/knowledge', key: 'nav.knowledge', icon: IconBooks, letter: 'k' },
  { to: '/models', key: 'nav.models', icon: IconCpu, letter: 'm' },
  { to: '/tools', key: 'nav.tools', icon: IconTool, letter: 't' },
  { to: '/box', key: 'nav.box', icon: IconServer2, letter: 'b' },
] as const;

export const COMMAND = /Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘K' : 'Ctrl K';
