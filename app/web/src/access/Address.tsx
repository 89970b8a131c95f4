import { Group, Text } from '@mantine/core';
import type { ReactNode } from 'react';

import { Copy } from '@/ui/Copy';

/** An address to copy. */
export function Address({ value, label, children }: { value: string; label: string; children?: ReactNode }) {
  return (
    <Group wrap="nowrap" gap={6} px="sm" py={6} style={{ border: '1px solid var(--sp-line)', borderRadius: 10, background: 'var(--sp-sunken)' }}>
      <Text ff="monospace" fz="sm" flex={1} miw={0} style={{ overflowWrap: 'anywhere' }} aria-label={label}>
        {value}
      </Text>
      <Copy value={value} />
      {children}
    </Group>
  );
}
