import { Badge, Progress, Stack, Text } from '@mantine/core';
import { currentLanguage, useTranslation } from '@/i18n';

import type { Doc } from '@/api/types';
import { useCodeText } from '@/ui/errors';
import { count } from '@/ui/format';
import { serverText, translated } from '@/ui/serverText';

import { isWorking, progress } from './api';

const COLOURS: Record<string, string> = { available: 'moss', error: 'brick', paused: 'gray', disabled: 'gray', archived: 'gray' };
export const STATES = ['queuing', 'indexing', 'paused', 'error', 'available', 'disabled', 'archived'] as const;
const STAGES = ['waiting', 'parsing', 'transcribing', 'cleaning', 'splitting', 'indexing', 'embedding'] as const;

function oneOf<T extends string>(list: readonly T[], value: string | null | undefined): T | undefined {
  return list.find((entry) => entry === value);
}

/** 1, 2, 3, 7 as "1-3, 7". */
function ranges(pages: number[]): string {
  const out: string[] = [];
  for (let i = 0; i < pages.length; ) {
    let j = i;
    while (pages[j + 1] === (pages[j] ?? 0) + 1) j += 1;
    out.push(i === j ? String(pages[i]) : `${pages[i] ?? ''}-${pages[j] ?? ''}`);
    i = j + 1;
  }
  return out.length > 12 ? `${out.slice(0, 12).join(', ')}, …` : out.join(', ');
}

/** What went wrong with a document, in the reader's language. */
function useProblemText() {
  const byCode = useCodeText();
  return (doc: Doc): string => {
    const said = doc.error ?? '';
    return translated(said) ?? ((currentLanguage() === 'en' ? '' : byCode(doc.error_code ?? '')) || said);
  };
}

/** State of one document: a badge, and while it is being read its stage, progress and speed. */
export function DocumentState({ doc }: { doc: Doc }) {
  const { t } = useTranslation();
  const problem = useProblemText();
  const state = oneOf(STATES, doc.display_status) ?? 'queuing';
  const stage = oneOf(STAGES, doc.stage || doc.indexing_status);
  const share = progress(doc);
  if (isWorking(doc)) {
    return (
      <Stack gap={4} maw={240}>
        <Progress value={share ?? (stage === 'waiting' ? 0 : 100)} animated={stage !== 'waiting'} size="sm" aria-label={t('knowledge:progress', { name: doc.name })} />
        <Text fz="xs" c="dimmed" className="sp-num">
          {stage ? t(`knowledge:stage.${stage}`) : t(`knowledge:status.${state}`)}
          {doc.total ? ` · ${count(doc.done)}/${count(doc.total)}` : ''}
          {doc.speed ? ` · ${t('knowledge:speed', { n: Math.round(doc.speed) })}` : ''}
        </Text>
      </Stack>
    );
  }
  if (doc.error_code === 'cancelled') {
    return (
      <Stack gap={4} align="flex-start">
        <Badge variant="light" color="gray" tt="none" data-status="stopped">{t('knowledge:stopped')}</Badge>
        <Text fz="xs" c="dimmed" maw={360}>{t('knowledge:stoppedText')}</Text>
      </Stack>
    );
  }
  return (
    <Stack gap={4} align="flex-start">
      <Badge variant="light" color={COLOURS[state] ?? 'sparrow'} tt="none" data-status={state}>
        {t(`knowledge:status.${state}`)}
      </Badge>
      {doc.error ? (
        <Text fz="xs" c="var(--mantine-color-error)" maw={360} style={{ overflowWrap: 'anywhere' }}>
          {problem(doc)}
        </Text>
      ) : null}
      {doc.notices?.map((notice, at) => (
        <Text key={`${notice.code}-${at}`} fz="xs" c="dimmed" maw={360}>
          {notice.code === 'pages_without_text' || notice.code === 'pages_damaged' || notice.code === 'pages_transcribed'
            ? t(`knowledge:notice.${notice.code}`, { pages: ranges(notice.pages ?? []), count: notice.pages?.length ?? 0, total: notice.total ?? 0 })
            : serverText(notice.message)}
        </Text>
      ))}
    </Stack>
  );
}
