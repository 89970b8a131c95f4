import { ActionIcon, CopyButton, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useTranslation } from '@/i18n';

export function Copy({ value, label, size = 'md' }: { value: string; label?: string; size?: 'sm' | 'md' }) {
  const { t } = useTranslation();
  return (
    <CopyButton value={value} timeout={1600}>
      {({ copied, copy }) => {
        const text = copied ? t('state.copied') : (label ?? t('action.copy'));
        return (
          <Tooltip label={text}>
            <ActionIcon size={size} onClick={copy} aria-label={text} color={copied ? 'moss' : 'gray'}>
              {copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
            </ActionIcon>
          </Tooltip>
        );
      }}
    </CopyButton>
  );
}

/** A block of code that can be copied as a whole. */
export function CodeBlock({ code, label }: { code: string; label: string }) {
  return (
    <div style={{ display: 'flex', alignItems: 'flex-start', borderRadius: 10, background: 'var(--sp-sunken)', border: '1px solid var(--sp-line)' }}>
      <pre
        aria-label={label}
        tabIndex={0}
        style={{
          flex: 1,
          minWidth: 0,
          margin: 0,
          padding: '14px 0 14px 16px',
          fontFamily: 'var(--mantine-font-family-monospace)',
          fontSize: 13,
          lineHeight: 1.6,
          overflowX: 'auto',
        }}
      >
        {code}
      </pre>
      <div style={{ padding: 8 }}>
        <Copy value={code} />
      </div>
    </div>
  );
}
