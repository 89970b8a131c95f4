import { Anchor, Paper, SimpleGrid, Stack, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from '@/i18n';
import { Link } from 'react-router';

import { bytes, count } from '@/ui/format';
import { Page } from '@/ui/Page';
import { CardSkeletons, Failed, Section } from '@/ui/states';

import { knowledgeApi } from './api';
import { useFrameDataset } from './DatasetFrame';
import { UsedBy } from './UsedBy';

function Figure({ label, value, note }: { label: string; value: string; note?: string }) {
  return (
    <Paper withBorder radius="lg" p="md" bg="var(--sp-card)">
      <Text c="dimmed" fz="sm">{label}</Text>
      <Text fz={26} fw={650} lh={1.25} className="sp-num">{value}</Text>
      {note ? <Text c="dimmed" fz="xs">{note}</Text> : null}
    </Paper>
  );
}

/** What the base holds, the room it takes, and how it is used. */
export default function Statistics() {
  const { t } = useTranslation();
  const dataset = useFrameDataset();
  const found = useQuery({ queryKey: ['datasets', 'statistics', dataset.id], queryFn: () => knowledgeApi.statistics(dataset.id) });
  const room = useQuery({ queryKey: ['datasets', 'capacity', dataset.id], queryFn: () => knowledgeApi.capacity(dataset.id) });
  if (found.error) return <Failed error={found.error} retry={() => found.refetch()} />;
  const data = found.data;
  return (
    <Page title={t('knowledge:tab.statistics')}>
      {data ? (
        <Stack gap="lg">
          <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }}>
            <Figure label={t('knowledge:stats.documents')} value={count(data.documents)} note={t('knowledge:stats.available', { count: data.available_documents })} />
            <Figure label={t('knowledge:stats.segments')} value={count(data.segments)} note={data.summaries ? t('knowledge:stats.summaries', { count: data.summaries, n: count(data.summaries) }) : undefined} />
            <Figure label={t('knowledge:stats.words')} value={count(data.words)} />
            <Figure label={t('knowledge:stats.tokens')} value={count(data.tokens)} />
            <Figure label={t('knowledge:stats.hits')} value={count(data.hits)} />
            <Figure label={t('knowledge:stats.queries')} value={count(data.queries_30_days)} note={t('knowledge:stats.days')} />
          </SimpleGrid>
          <SimpleGrid cols={{ base: 1, md: 2 }}>
            <Section title={t('knowledge:stats.storage')}>
              <Table verticalSpacing={6} withRowBorders={false}>
                <Table.Tbody>
                  {([['files', bytes(data.bytes_files)], ['text', bytes(data.bytes_text)], ['vectors', `${bytes(data.bytes_vectors)} · ${count(data.vectors)}`], ['memory', bytes(data.bytes_memory)]] as const).map(([key, value]) => (
                    <Table.Tr key={key}>
                      <Table.Td>{t(`knowledge:stats.${key}`)}</Table.Td>
                      <Table.Td ta="right" className="sp-num">{value}</Table.Td>
                    </Table.Tr>
                  ))}
                  {data.vectors_waiting ? (
                    <Table.Tr>
                      <Table.Td>{t('knowledge:stats.waiting')}</Table.Td>
                      <Table.Td ta="right" className="sp-num">{count(data.vectors_waiting)}</Table.Td>
                    </Table.Tr>
                  ) : null}
                </Table.Tbody>
              </Table>
              {room.data ? <Text fz="xs" c="dimmed" mt="xs">{t('knowledge:memory.now', { now: bytes(room.data.bytes_now), limit: bytes(room.data.bytes_limit), more: bytes(room.data.bytes_per_10k) })}</Text> : null}
            </Section>
            <Section title={t('knowledge:stats.mostFound')}>
              {data.most_found.length ? (
                <Table verticalSpacing={6} withRowBorders={false}>
                  <Table.Tbody>
                    {data.most_found.map((doc) => (
                      <Table.Tr key={doc.id}>
                        <Table.Td><Anchor component={Link} to={`/knowledge/${dataset.id}/documents/${doc.id}`} fz="sm" style={{ overflowWrap: 'anywhere' }}>{doc.name}</Anchor></Table.Td>
                        <Table.Td ta="right" className="sp-num">{count(doc.hits)}</Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              ) : <Text fz="sm" c="dimmed">{t('knowledge:stats.notFound')}</Text>}
            </Section>
          </SimpleGrid>
          <Section title={t('knowledge:usage.title')} description={t('knowledge:usage.text')}>
            <UsedBy datasetId={dataset.id} />
          </Section>
        </Stack>
      ) : <CardSkeletons n={6} height={92} />}
    </Page>
  );
}
