import { Alert, Badge, Button, Chip, Group, Progress, Select, Stack, Text, Textarea } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';
import { Link } from 'react-router';

import type { RetrievalModel } from '@/api/types';
import { highlight } from '@/chat/highlight';
import { useErrorText } from '@/ui/errors';
import { Page } from '@/ui/Page';
import { Empty, RowSkeletons } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import { useFrameDataset } from './DatasetFrame';
import css from './Knowledge.module.css';

export const METHODS = ['hybrid_search', 'semantic_search', 'full_text_search'] as const;

/** Asks the knowledge base alone, without a model: what would an app find? */
export default function RetrievalTest() {
  const { t } = useTranslation();
  const text = useErrorText();
  const dataset = useFrameDataset();
  const client = useQueryClient();
  const stored: Partial<RetrievalModel> | null = dataset.retrieval_model_dict;
  const [query, setQuery] = useState('');
  const [method, setMethod] = useState<string>(stored?.search_method ?? 'hybrid_search');
  const test = useAct(
    (asked: string) =>
      knowledgeApi.test(dataset.id, asked, {
        top_k: 5, score_threshold_enabled: false, score_threshold: null, reranking_enable: false, ...stored,
        search_method: method as RetrievalModel['search_method'],
      }),
    { quiet: true, done: () => client.invalidateQueries({ queryKey: ['dataset-queries', dataset.id] }) },
  );
  const recent = useQuery({ queryKey: ['dataset-queries', dataset.id], queryFn: () => knowledgeApi.queries(dataset.id) });
  const lately = [...new Set(recent.data?.data.map((entry) => entry.content) ?? [])].slice(0, 6);
  const asked = test.data?.query.content ?? '';
  const run = () => (query.trim() ? test.mutate(query.trim()) : undefined);
  return (
    <Page title={t('knowledge:tab.test')} description={t('knowledge:test.text')}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        <Stack gap="sm">
          <Textarea
            autosize minRows={2} maxRows={6} maxLength={250} autoFocus
            label={t('knowledge:test.query')}
            value={query}
            onChange={(event) => setQuery(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
                event.preventDefault();
                run();
              }
            }}
          />
          <Group align="flex-end">
            <Select label={t('knowledge:test.method')} allowDeselect={false} value={method} onChange={(value) => setMethod(value ?? method)} data={METHODS.map((value) => ({ value, label: t(`knowledge:method.${value}`) }))} />
            <Button type="submit" leftSection={<IconSearch size={18} />} loading={test.isPending} disabled={!query.trim()}>{t('knowledge:test.action')}</Button>
          </Group>
          {lately.length ? (
            <Group gap={6}>
              <Text fz="xs" c="dimmed">{t('knowledge:test.recent')}</Text>
              {lately.map((text) => (
                <Chip key={text} size="xs" checked={false} onClick={() => { setQuery(text); test.mutate(text); }} maw="100%">{text.length > 40 ? `${text.slice(0, 40)}…` : text}</Chip>
              ))}
            </Group>
          ) : null}
        </Stack>
      </form>
      <Stack mt="lg" aria-live="polite">
        {test.isPending ? <RowSkeletons n={3} /> : null}
        {test.error ? <Alert color="brick" role="alert">{text(test.error)}</Alert> : null}
        {test.data?.records.length === 0 ? <Empty title={t('knowledge:test.none')}>{t('knowledge:test.noneText')}</Empty> : null}
        {test.data?.records.map((record) => (
          <div key={record.segment.id} className={css.chunk}>
            <Group gap={10} mb={8}>
              <Link to={`/knowledge/${dataset.id}/documents/${record.segment.document.id}?segment=${record.segment.id}`} style={{ color: 'var(--sp-accent)', fontWeight: 600 }}>
                {record.segment.document.name}
              </Link>
              <Badge size="sm" variant="default" tt="none">{record.segment.position}</Badge>
              <Group gap={8} ml="auto" wrap="nowrap">
                <Progress w={80} value={Math.min(1, Math.max(0, record.score)) * 100} aria-label={t('chat:source.score')} />
                <Text fz="sm" className="sp-num">{record.score.toFixed(3)}</Text>
              </Group>
            </Group>
            {highlight(record.segment.content, asked).map((piece, i) => (piece.hit ? <mark key={i}>{piece.text}</mark> : piece.text))}
          </div>
        ))}
      </Stack>
    </Page>
  );
}
