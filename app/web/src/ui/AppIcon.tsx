import { IconBrain, IconForms, IconMessage2, IconMessages, IconRoute } from '@tabler/icons-react';

import type { App, AppMode } from '@/api/types';

const GLYPHS = {
  chat: IconMessage2,
  completion: IconForms,
  'agent-chat': IconBrain,
  'advanced-chat': IconMessages,
  workflow: IconRoute,
} as const;

const HUES: Record<AppMode, number> = { chat: 28, completion: 95, 'agent-chat': 350, 'advanced-chat': 175, workflow: 220 };

/** The app's emoji, or the sign of its kind on a tint of its own. */
export function AppIcon({ app, size = 44 }: { app: Pick<App, 'mode'> & Partial<Pick<App, 'icon' | 'icon_type' | 'icon_background'>>; size?: number }) {
  const Glyph = GLYPHS[app.mode];
  // Short names such as "robot_face" from old exports are no picture.
  const emoji = app.icon && app.icon_type !== 'image' && /\p{Extended_Pictographic}/u.test(app.icon) ? app.icon : null;
  const tint = `hsl(${HUES[app.mode]} 45% 50%)`;
  return (
    <span
      aria-hidden
      style={{
        width: size,
        height: size,
        flex: 'none',
        display: 'inline-grid',
        placeItems: 'center',
        borderRadius: size * 0.28,
        fontSize: size * 0.5,
        lineHeight: 1,
        background: emoji && app.icon_background ? app.icon_background : `color-mix(in srgb, ${tint} 18%, transparent)`,
        color: `color-mix(in srgb, ${tint} 80%, var(--mantine-color-text))`,
      }}
    >
      {emoji ?? <Glyph size={size * 0.54} stroke={1.7} />}
    </span>
  );
}
