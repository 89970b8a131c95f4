import { Alert, Button, Checkbox, Group, NumberInput, SegmentedControl, Select, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { Estimate } from '@/api/types';
import { useErrorText } from '@/ui/errors';
import { bytes } from '@/ui/format';
import { useAct } from '@/ui/useAct';

import css from './Knowledge.module.css';
import { modesOf, START, type Chunking } from './rules';

/**
 * How documents are cut, with a preview.
 * @param form the form of the base's documents; null while it has none, then every mode can be chosen
 * @param samples the documents that can be cut for a look
 * @param estimate shows how one of them would be cut
 */
export function ChunkingForm({ value, form, onChange, samples, estimate }: {
  value: Chunking;
  form: string | null;
  onChange: (next: Chunking) => void;
  samples: { value: string; label: string }[];
  estimate: (sample: string) => Promise<Estimate>;
}) {
  const { t } = useTranslation();
  const text = useErrorText();
  const preview = useAct(estimate, { quiet: true });
  const [chosen, setChosen] = useState<string | null>(null);
  const sample = samples.find((one) => one.value === chosen) ?? samples[0];
  const set = (change: Partial<Chunking>) => {
    onChange({ ...value, ...change });
    preview.reset();
  };
  const modes = modesOf(form);
  const phone = useMediaQuery('(max-width: 35.99em)', undefined, { getInitialValueInEffect: false }); // all of them side by side need more
  return (
    <Stack>
      <SegmentedControl
        aria-label={t('knowledge:chunk.title')}
        orientation={phone ? 'vertical' : 'horizontal'}
        w={phone ? '100%' : 'fit-content'}
        value={value.mode}
        onChange={(mode) => set({ mode })}
        data={modes.map((mode) => ({ value: mode, label: t(`knowledge:chunk.${mode}`) }))}
      />
      <Text fz="sm" c="dimmed">{t(`knowledge:chunk.${value.mode}Text`)}{form ? ` ${t('knowledge:chunk.fixed')}` : ''}</Text>
      {value.mode === 'automatic' || value.mode === 'qa' ? null : (
        <SimpleGrid cols={{ base: 1, sm: 3 }}>
          <TextInput label={t('knowledge:chunk.separator')} value={value.separator} onChange={(event) => set({ separator: event.currentTarget.value })} styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }} />
          <NumberInput label={t('knowledge:chunk.max')} min={50} max={4000} value={value.maxTokens} onChange={(v) => set({ maxTokens: Number(v) || START.maxTokens })} />
          {value.mode === 'custom' ? (
            <NumberInput label={t('knowledge:chunk.overlap')} min={0} max={1000} value={value.overlap} onChange={(v) => set({ overlap: Number(v) || 0 })} />
          ) : (
            <NumberInput label={t('knowledge:chunk.child')} min={20} max={2000} value={value.childTokens} onChange={(v) => set({ childTokens: Number(v) || START.childTokens })} />
          )}
        </SimpleGrid>
      )}
      {value.mode === 'hierarchical' ? (
        <Select maw={320} label={t('knowledge:chunk.parent')} allowDeselect={false} value={value.parentMode} onChange={(v) => set({ parentMode: v === 'full-doc' ? 'full-doc' : 'paragraph' })} data={[{ value: 'paragraph', label: t('knowledge:chunk.paragraph') }, { value: 'full-doc', label: t('knowledge:chunk.fullDoc') }]} />
      ) : null}
      {value.mode === 'qa' ? (
        <Select maw={320} label={t('knowledge:chunk.language')} allowDeselect={false} value={value.language} onChange={(v) => set({ language: v ?? value.language })} data={[{ value: 'Chinese', label: '中文' }, { value: 'English', label: 'English' }]} />
      ) : null}
      {value.mode === 'custom' || value.mode === 'hierarchical' ? (
        <Group>
          <Checkbox label={t('knowledge:chunk.spaces')} checked={value.removeSpaces} onChange={(event) => set({ removeSpaces: event.currentTarget.checked })} />
          <Checkbox label={t('knowledge:chunk.links')} checked={value.removeLinks} onChange={(event) => set({ removeLinks: event.currentTarget.checked })} />
        </Group>
      ) : null}
      <Group>
        {samples.length > 1 ? <Select size="xs" maw="100%" w={280} aria-label={t('knowledge:chunk.sample')} allowDeselect={false} searchable value={sample?.value ?? null} onChange={(next) => { setChosen(next); preview.reset(); }} data={samples} /> : null}
        <Button variant="default" size="xs" disabled={!sample} loading={preview.isPending} onClick={() => (sample ? preview.mutate(sample.value) : undefined)}>
          {t('knowledge:chunk.preview')}
        </Button>
        {preview.data ? (
          <Text fz="sm" c="dimmed">
            {t(preview.data.partial ? 'knowledge:chunk.partial' : 'knowledge:chunk.total', { count: preview.data.total_segments })}
          </Text>
        ) : null}
      </Group>
      {preview.error ? <Alert color="brick" role="alert">{text(preview.error)}</Alert> : null}
      {preview.data && !preview.data.memory.fits ? (
        <Alert color="brick" role="alert">
          {t('knowledge:memory.tooMuch', { need: bytes(preview.data.memory.bytes_after), limit: bytes(preview.data.memory.bytes_limit) })}
        </Alert>
      ) : null}
      {preview.data ? <Preview found={preview.data} /> : null}
    </Stack>
  );
}

/** The first chunks of a document: questions with answers, parents with their children marked, or plain ones. */
function Preview({ found }: { found: Estimate }) {
  return (
    <Stack gap="sm" mah={560} style={{ overflowY: 'auto' }}>
      {found.preview.map((chunk, i) => {
        const pair = found.qa_preview?.[i];
        return (
          <div key={i} className={css.chunk}>
            <Text fz="xs" c="dimmed" mb={4}>{i + 1}{chunk.heading?.length ? ` · ${chunk.heading.join(' › ')}` : ''}</Text>
            {pair ? (
              <>
                <Text fz="sm" fw={600}>{pair.question}</Text>
                <Text fz="sm">{pair.answer}</Text>
              </>
            ) : chunk.child_chunks?.length ? (
              chunk.child_chunks.map((child, j) => <span key={j} className={css.child}>{child}</span>)
            ) : (
              chunk.content
            )}
          </div>
        );
      })}
    </Stack>
  );
}

