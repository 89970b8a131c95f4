import css from './Models.module.css';

/** A provider's initial on a tint made from its name: no foreign logos, no network. */
export function ProviderMark({ name, size = 40 }: { name: string; size?: number }) {
  let hue = 0;
  for (const letter of name) hue = (hue * 31 + (letter.codePointAt(0) ?? 0)) % 360;
  const tint = `hsl(${hue} 40% 48%)`;
  return (
    <span
      aria-hidden
      className={css.initial}
      style={{
        width: size,
        height: size,
        fontSize: size * 0.42,
        background: `color-mix(in srgb, ${tint} 16%, transparent)`,
        color: `color-mix(in srgb, ${tint} 75%, var(--mantine-color-text))`,
      }}
    >
      {[...name][0]?.toUpperCase()}
    </span>
  );
}
