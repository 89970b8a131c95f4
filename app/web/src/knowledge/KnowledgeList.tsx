import { Button, Group, Modal, Pagination, SimpleGrid, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconBook2, IconFileImport, IconPlus, IconSearch } from '@tabler/icons-react';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';
import { Link, useNavigate, useSearchParams } from 'react-router';

import css from '@/studio/Studio.module.css';
import { useErrorText } from '@/ui/errors';
import { count } from '@/ui/format';
import { Page } from '@/ui/Page';
import { CardSkeletons, Empty, Failed } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import ImportDataset from './ImportDataset';

export default function KnowledgeList() {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [params, setParams] = useSearchParams();
  const [keyword, setKeyword] = useState('');
  const [wanted] = useDebouncedValue(keyword, 250);
  const [page, setPage] = useState(1);
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [importing, setImporting] = useState(false);
  const setCreating = (open: boolean) => setParams(open ? { create: '1' } : {}, { replace: true });
  const sets = useQuery({
    queryKey: ['datasets', 'list', page, wanted],
    queryFn: () => knowledgeApi.list(page, wanted),
    placeholderData: keepPreviousData,
  });
  const create = useAct(() => knowledgeApi.create({ name: name.trim(), description: description.trim() }), {
    quiet: true,
    done: async (made) => {
      await client.invalidateQueries({ queryKey: ['datasets'] });
      void navigate(`/knowledge/${made.id}/add`);
    },
  });
  const newButton = (
    <Group gap="xs">
      <Button variant="default" leftSection={<IconFileImport size={18} />} onClick={() => setImporting(true)}>
        {t('knowledge:import.action')}
      </Button>
      <Button leftSection={<IconPlus size={18} />} onClick={() => setCreating(true)}>
        {t('knowledge:create.action')}
      </Button>
    </Group>
  );
  return (
    <Page wide title={t('knowledge:title')} description={t('knowledge:text')} actions={newButton}>
      {sets.isPending ? (
        <CardSkeletons n={4} height={132} />
      ) : sets.error ? (
        <Failed error={sets.error} retry={() => sets.refetch()} />
      ) : sets.data.total === 0 && !wanted ? (
        <Empty title={t('knowledge:none')} action={newButton}>
          {t('knowledge:noneText')}
        </Empty>
      ) : (
        <Stack gap="lg">
          <TextInput
            aria-label={t('knowledge:search')}
            placeholder={t('knowledge:search')}
            leftSection={<IconSearch size={16} />}
            maw={300}
            value={keyword}
            onChange={(event) => {
              setKeyword(event.currentTarget.value);
              setPage(1);
            }}
          />
          {sets.data.data.length === 0 ? <Text c="dimmed">{t('state.noMatch')}</Text> : null}
          <SimpleGrid cols={{ base: 1, sm: 2, lg: 3, xl: 4 }} component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
            {sets.data.data.map((set) => (
              <li key={set.id} className={css.card} style={{ minHeight: 132 }}>
                <div className={css.head}>
                  <IconBook2 size={30} stroke={1.4} color="var(--sp-accent)" aria-hidden style={{ flex: 'none' }} />
                  <Link to={`/knowledge/${set.id}`} className={css.name}>
                    {set.name}
                  </Link>
                </div>
                {set.description ? (
                  <Text c="dimmed" fz="sm" className="sp-clamp-2">
                    {set.description}
                  </Text>
                ) : null}
                <Text c="dimmed" fz="xs" mt="auto">
                  {t('knowledge:documents', { count: set.document_count })} · {t('knowledge:words', { n: count(set.word_count) })} ·{' '}
                  {t('knowledge:apps', { count: set.app_count })}
                </Text>
              </li>
            ))}
          </SimpleGrid>
          {sets.data.total > sets.data.limit ? <Pagination value={page} onChange={setPage} total={Math.ceil(sets.data.total / sets.data.limit)} /> : null}
        </Stack>
      )}
      {importing ? <ImportDataset close={() => setImporting(false)} /> : null}
      <Modal opened={params.has('create')} onClose={() => setCreating(false)} title={t('knowledge:create.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (name.trim()) create.mutate();
          }}
        >
          <Stack>
            <TextInput data-autofocus label={t('knowledge:create.name')} placeholder={t('knowledge:create.namePlaceholder')} required withAsterisk={false} maxLength={40} value={name} error={create.error ? text(create.error) : undefined} onChange={(event) => setName(event.currentTarget.value)} />
            <Textarea label={t('knowledge:create.description')} autosize minRows={2} maxLength={400} value={description} onChange={(event) => setDescription(event.currentTarget.value)} />
            <Group justify="flex-end">
              <Button variant="default" onClick={() => setCreating(false)}>{t('action.cancel')}</Button>
              <Button type="submit" loading={create.isPending} disabled={!name.trim()}>{t('action.create')}</Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </Page>
  );
}
