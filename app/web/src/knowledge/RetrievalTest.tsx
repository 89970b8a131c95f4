import { Alert, Badge, Button, Collapse, Group, Progress, SimpleGrid, Stack, Text, Textarea, UnstyledButton } from '@mantine/core';
import { IconAdjustmentsHorizontal, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import { useTranslation } from '@/i18n';
import { useSearchParams } from 'react-router';

import type { Citation, Conditions, HitTest, RetrievalModel } from '@/api/types';
import { useFiles } from '@/chat/useFiles';
import { useWhenSent } from '@/chat/useWhenSent';
import { useErrorText } from '@/ui/errors';
import { useAddress } from '@/ui/Listing';
import { Page } from '@/ui/Page';
import { Empty, RowSkeletons, Section } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import { useFrameDataset } from './DatasetFrame';
import { fieldsOf, Filter } from './Filter';
import { beside, ImageField, imageRules, Images, MOST, pasteInto } from './Images';
import css from './Knowledge.module.css';
import { Place } from './Place';
import { RetrievalForm, START } from './Retrieval';

const Found = lazy(() => import('./Found'));
const SourceDrawer = lazy(() => import('@/chat/SourceDrawer'));

/** Each tells its own score beside the one that they make together. */
const METHODS = ['semantic_search', 'full_text_search'] as const;

type Record_ = HitTest['records'][number];

/** Asks the knowledge base alone, without a model: what would an app find? */
export default function RetrievalTest() {
  const { t } = useTranslation();
  const text = useErrorText();
  const dataset = useFrameDataset();
  const external = dataset.provider === 'external';
  const [params] = useSearchParams();
  const [query, setQuery] = useState(() => params.get('q') ?? '');
  const [model, setModel] = useState<RetrievalModel>({ ...START, ...(dataset.retrieval_model_dict) });
  const [filter, setFilter] = useState<Conditions | null>(null);
  const [settings, setSettings] = useState(false);
  const [justAsked, setJustAsked] = useState<string[]>([]);
  const [opened, setOpened] = useState<{ record: Record_; position: number } | null>(null);
  const files = useFiles(imageRules(MOST), knowledgeApi.uploadImage);
  const test = useAct(
    (input: { text: string; images?: string[] }) => knowledgeApi.test(dataset.id, input.text, input.images ?? [], external ? undefined : { ...model, ...(filter ? { metadata_filtering_conditions: filter } : {}) }),
    { quiet: true, done: (_, { text }) => (text ? setJustAsked((before) => [text, ...before]) : undefined) },
  );
  const recent = useQuery({ queryKey: ['dataset-queries', dataset.id], queryFn: () => knowledgeApi.queries(dataset.id) });
  // The server has a question about a second after it was asked: what is found would be pushed down then.
  const lately = [...new Set([...justAsked, ...(recent.data?.data.map((entry) => entry.content) ?? [])])].slice(0, 6);
  const asked = test.data?.query.content ?? '';
  const ready = Boolean(query.trim() || files.ids.length || files.busy);
  const { run, waiting } = useWhenSent(files, () => (ready ? test.mutate({ text: query.trim(), images: files.ids }) : undefined));
  useAddress({ q: test.variables?.text ?? params.get('q') ?? '' });
  // Who comes back from a document that was found, or by a link, sees again what was asked.
  const first = useRef(run);
  useEffect(() => {
    first.current();
  }, []);
  const citation = (record: Record_, position: number): Citation => ({
    position, dataset_id: dataset.id, dataset_name: dataset.name, document_id: record.segment.document.id, document_name: record.segment.document.name,
    segment_id: record.segment.id, score: record.score, content: record.segment.content, heading: record.segment.heading?.join(' > '),
  });
  return (
    <Page title={t('knowledge:tab.test')} description={t('knowledge:test.text')}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        <Stack gap="sm" onPaste={pasteInto(files)}>
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
          <ImageField files={files} limit={MOST} text={t('knowledge:test.imagesText')} />
          <Group justify="space-between">
            <Button type="submit" leftSection={<IconSearch size={18} />} loading={test.isPending || waiting} disabled={!ready}>{t('knowledge:test.action')}</Button>
            {external ? null : (
              <Button variant="subtle" aria-expanded={settings} leftSection={<IconAdjustmentsHorizontal size={18} />} onClick={() => setSettings(!settings)}>
                {t('knowledge:test.settings')}{filter ? ` · ${t('knowledge:filter.count', { count: filter.conditions.length })}` : ''}
              </Button>
            )}
          </Group>
          <Collapse expanded={settings}>
            <SimpleGrid cols={{ base: 1, md: 2 }}>
              <Section title={t('knowledge:settings.retrieval')} description={t('knowledge:test.settingsText')}>
                <RetrievalForm value={model} onChange={setModel} economy={dataset.indexing_technique === 'economy'} />
              </Section>
              <Section title={t('knowledge:filter.title')} description={t('knowledge:filter.text')}>
                <Filter fields={fieldsOf([dataset])} value={filter} onChange={setFilter} />
              </Section>
            </SimpleGrid>
          </Collapse>
          {lately.length ? (
            <Group gap={6}>
              <Text fz="xs" c="dimmed">{t('knowledge:test.recent')}</Text>
              {lately.map((question) => (
                <Button key={question} size="compact-xs" radius="xl" variant="default" fw={500} maw="100%" title={question} onClick={() => { setQuery(question); test.mutate({ text: question }); }}>{question.length > 40 ? `${question.slice(0, 40)}…` : question}</Button>
              ))}
            </Group>
          ) : null}
        </Stack>
      </form>
      <Stack mt="lg" aria-live="polite">
        {test.isPending ? <RowSkeletons n={3} /> : null}
        {test.error ? <Alert color="brick" role="alert">{text(test.error)}</Alert> : null}
        {test.data && test.variables.images?.length ? <Alert variant="light" title={t('knowledge:test.seen')} data-testid="seen"><Text fz="sm" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{asked}</Text></Alert> : null}
        {test.data?.records.length === 0 ? <Empty title={t('knowledge:test.none')}>{t('knowledge:test.noneText')}</Empty> : null}
        {test.data?.records.map((record, i) => (
          <div key={record.segment.id || i} className={css.chunk} data-testid="hit">
            <Group gap={10} mb={8}>
              <UnstyledButton onClick={() => setOpened({ record, position: i + 1 })} className={css.title}>{record.segment.document.name || t('knowledge:test.untitled')}</UnstyledButton>
              {external ? null : (
                <>
                  <Badge size="sm" variant="default" tt="none">{t('knowledge:test.position', { n: record.segment.position })}</Badge>
                  <Place segment={record.segment} datasetId={dataset.id} documentId={record.segment.document.id} pdf={record.segment.document.name.toLowerCase().endsWith('.pdf')} />
                </>
              )}
              {record.by_summary ? <Badge size="sm" variant="light" tt="none">{t('knowledge:test.bySummary')}</Badge> : null}
              <Group gap="2px 8px" ml="auto">
                {METHODS.map((method) => (record.scores?.[method] === undefined ? null : <Text key={method} fz="xs" c="dimmed" className="sp-num">{`${t(`knowledge:method.${method}`)} ${record.scores[method].toFixed(3)}`}</Text>))}
                <Group gap={8} wrap="nowrap">
                  <Progress w={80} value={Math.min(1, Math.max(0, record.score)) * 100} aria-label={t('chat:source.score')} />
                  <Text fz="sm" className="sp-num">{record.score.toFixed(3)}</Text>
                </Group>
              </Group>
            </Group>
            <Suspense fallback={record.segment.content}>
              <Found key={asked} text={record.segment.content} query={asked} />
              {record.segment.answer ? <div className={css.answer}><Found key={asked} text={record.segment.answer} query={asked} /></div> : null}
            </Suspense>
            <Images images={beside(record.files, record.segment.content, record.segment.answer)} />
            {record.summary ? (
              <div className={css.summary} data-found={record.by_summary || undefined}>
                <Text fz="xs" c="dimmed">{t('knowledge:summary.label')}</Text>
                <Suspense fallback={record.summary}><Found key={asked} text={record.summary} query={asked} /></Suspense>
              </div>
            ) : null}
            {record.child_chunks?.length ? (
              <Stack gap={4} mt="xs">
                <Text fz="xs" c="dimmed">{t('knowledge:test.children', { count: record.child_chunks.length })}</Text>
                {record.child_chunks.map((child) => <Text key={child.id} fz="xs" className={css.found}>{child.content}</Text>)}
              </Stack>
            ) : null}
          </div>
        ))}
      </Stack>
      {opened ? (
        <Suspense fallback={null}>
          <SourceDrawer citation={citation(opened.record, opened.position)} query={asked} linked={!external} onClose={() => setOpened(null)} />
        </Suspense>
      ) : null}
    </Page>
  );
}
