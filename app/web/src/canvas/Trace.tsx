import { Text } from '@mantine/core';
import { IconAlertTriangle, IconCheck, IconLoader2, IconPlayerPause } from '@tabler/icons-react';
import { useTranslation } from '@/i18n';

import css from '@/chat/Chat.module.css';
import type { Step } from '@/chat/turns';
import { serverText } from '@/ui/serverText';

import { useKindName } from './kinds';

const ICONS = { running: IconLoader2, succeeded: IconCheck, failed: IconAlertTriangle, exception: IconAlertTriangle, stopped: IconPlayerPause, paused: IconPlayerPause };

/** The steps of a run, each with what went in and came out. */
export function Trace({ steps, open }: { steps: Step[]; open?: boolean }) {
  const { t } = useTranslation();
  const kind = useKindName();
  if (steps.length === 0) return null;
  return (
    <details className={css.tool} open={open}>
      <summary>{t('flow:steps', { count: steps.length })}</summary>
      {steps.map((step) => {
        const Icon = ICONS[step.status];
        return (
          <details key={step.id} style={{ marginLeft: step.parent ? 18 : 0, marginTop: 6 }}>
            <summary>
              <Icon size={14} aria-label={t(`flow:status.${step.status}`)} color={step.status === 'failed' ? 'var(--mantine-color-error)' : 'var(--sp-accent)'} /> {step.title || kind(step.type)}
              <Text span fz="xs" c="dimmed" ml={8}>{step.elapsed === undefined ? '' : `${step.elapsed.toFixed(2)} s`}</Text>
            </summary>
            {step.error ? <Text fz="xs" c="var(--mantine-color-error)">{serverText(step.error)}</Text> : null}
            {step.inputs ? <pre aria-label={t('flow:inputs')}>{JSON.stringify(step.inputs, null, 2)}</pre> : null}
            {step.processData ? <pre aria-label={t('flow:process')}>{JSON.stringify(step.processData, null, 2)}</pre> : null}
            {step.outputs ? <pre aria-label={t('flow:outputs')}>{JSON.stringify(step.outputs, null, 2)}</pre> : null}
          </details>
        );
      })}
    </details>
  );
}
