/** The sparrow. Decorative unless a title is given. */
export function Mark({ size = 32, title }: { size?: number; title?: string }) {
  return (
    <svg width={size} height={size} viewBox="0 3 64 64" role={title ? 'img' : undefined} aria-hidden={!title}>
      {title ? <title>{title}</title> : null}
      <path fill="#5b3212" d="M2 21 24 30 18 44Z" />
      <path fill="#c98a4b" d="M12 36A22 22 0 0 0 56 36V22A12 12 0 0 0 32 22Z" />
      <path fill="#f4dfc0" d="M56 27V36A22 22 0 0 1 34 58 44 44 0 0 0 56 27Z" />
      <path fill="#8a4f1d" d="M32 22A12 12 0 0 1 56 22Z" />
      <path fill="#8a4f1d" d="M12 36H40A20 20 0 0 1 22 54.3 22 22 0 0 1 12 36Z" />
      <path fill="#e9a23b" d="M56 19 63 23.5 56 27Z" />
      <circle cx="47.5" cy="25" r="2.6" fill="#231508" />
    </svg>
  );
}
