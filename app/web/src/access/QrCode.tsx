import { encode } from 'uqr';

/** An address as a QR code, dark on white in both colour schemes, so that every camera reads it. */
export function QrCode({ value, label, size = 148 }: { value: string; label: string; size?: number }) {
  const { data, size: count } = encode(value, { border: 2 });
  const path = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ''))).join('');
  return (
    <svg role="img" aria-label={label} width={size} height={size} viewBox={`0 0 ${count} ${count}`} shapeRendering="crispEdges" style={{ flex: 'none', borderRadius: 10, background: '#fff' }}>
      <path d={path} fill="#2a241e" />
    </svg>
  );
}
