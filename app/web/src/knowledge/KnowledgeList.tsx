import { ActionIcon, Badge, Button, Group, Menu, Modal, MultiSelect, SimpleGrid, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { IconBook2, IconCloudShare, IconDots, IconFileImport, IconKey, IconPlus, IconScan, IconServer2 } from '@tabler/icons-react';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';
import { Link, useNavigate, useSearchParams } from 'react-router';

import css from '@/studio/Studio.module.css';
import type { SummarySetting } from '@/api/types';
import { useErrorText } from '@/ui/errors';
import { count } from '@/ui/format';
import { Pages, SearchField, useListing } from '@/ui/Listing';
import { Page } from '@/ui/Page';
import { CardSkeletons, Empty, Failed } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import { CreateExternal, ServersDrawer } from './External';
import ImportDataset from './ImportDataset';
import { ScannedPages } from './ScannedPages';
import { SummaryForm } from './Summaries';
import { useTags } from './Tags';

export default function KnowledgeList() {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [params, setParams] = useSearchParams();
  const place = useListing();
  const { page, setPage, wanted } = place;
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [summaries, setSummaries] = useState<SummarySetting>({});
  const [dialog, setDialog] = useState<'import' | 'external' | 'servers' | 'scanned' | null>(null);
  const [chosenTags, setChosenTags] = useState<string[]>([]);
  const tags = useTags();
  const setCreating = (open: boolean) => setParams(open ? { create: '1' } : {}, { replace: true });
  const sets = useQuery({
    queryKey: ['datasets', 'list', page, wanted, chosenTags],
    queryFn: () => knowledgeApi.list(page, wanted, chosenTags),
    placeholderData: keepPreviousData,
  });
  const create = useAct(() => knowledgeApi.create({ name: name.trim(), description: description.trim(), ...(summaries.enable ? { summary_index_setting: summaries } : {}) }), {
    quiet: true,
    done: async (made) => {
      await client.invalidateQueries({ queryKey: ['datasets'] });
      void navigate(`/knowledge/${made.id}/add`);
    },
  });
  const newButton = (
    <Group gap="xs">
      <Menu>
        <Menu.Target>
          <ActionIcon size={36} variant="default" aria-label={t('action.more')}><IconDots size={18} /></ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconFileImport size={16} />} onClick={() => setDialog('import')}>{t('knowledge:import.title')}</Menu.Item>
          <Menu.Item leftSection={<IconCloudShare size={16} />} onClick={() => setDialog('external')}>{t('knowledge:external.create')}</Menu.Item>
          <Menu.Item leftSection={<IconServer2 size={16} />} onClick={() => setDialog('servers')}>{t('knowledge:external.servers')}</Menu.Item>
          <Menu.Item leftSection={<IconScan size={16} />} onClick={() => setDialog('scanned')}>{t('knowledge:ocr.title')}</Menu.Item>
          <Menu.Item leftSection={<IconKey size={16} />} component={Link} to="/knowledge/api">{t('knowledge:api.title')}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
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
      ) : sets.data.total === 0 && !wanted && chosenTags.length === 0 ? (
        <Empty title={t('knowledge:none')} action={<Button leftSection={<IconPlus size={18} />} onClick={() => setCreating(true)}>{t('knowledge:create.action')}</Button>}>
          {t('knowledge:noneText')}
        </Empty>
      ) : (
        <Stack gap="lg">
          <Group>
          <SearchField label={t('knowledge:search')} place={place} />
          {tags.data?.data.some((tag) => Number(tag.binding_count) > 0) ? (
            <MultiSelect
              aria-label={t('knowledge:tags.filter')} placeholder={chosenTags.length ? undefined : t('knowledge:tags.filter')} flex="0 1 300px" clearable
              value={chosenTags}
              onChange={(next) => {
                setChosenTags(next);
                setPage(1);
              }}
              data={tags.data.data.map((tag) => ({ value: tag.id, label: `${tag.name} (${tag.binding_count})` }))}
            />
          ) : null}
          </Group>
          {sets.data.data.length === 0 ? <Text c="dimmed">{t('state.noMatch')}</Text> : null}
          <SimpleGrid cols={{ base: 1, sm: 2, lg: 3, xl: 4 }} component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
            {sets.data.data.map((set) => (
              <li key={set.id} className={css.card} style={{ minHeight: 132 }}>
                <div className={css.head}>
                  {set.provider === 'external' ? <IconCloudShare size={30} stroke={1.4} color="var(--sp-accent)" aria-hidden style={{ flex: 'none' }} /> : <IconBook2 size={30} stroke={1.4} color="var(--sp-accent)" aria-hidden style={{ flex: 'none' }} />}
                  <Link to={`/knowledge/${set.id}`} className={css.name}>
                    {set.name}
                  </Link>
                </div>
                {set.description ? (
                  <Text c="dimmed" fz="sm" className="sp-clamp-2">
                    {set.description}
                  </Text>
                ) : null}
                {set.tags.length ? (
                  <Group gap={4}>{set.tags.map((tag) => <Badge key={String(tag.id)} size="sm" variant="default" tt="none">{String(tag.name)}</Badge>)}</Group>
                ) : null}
                <Text c="dimmed" fz="xs" mt="auto">
                  {set.provider === 'external'
                    ? t('knowledge:external.of', { name: set.external_knowledge_info?.external_knowledge_api_name ?? '' })
                    : `${t('knowledge:documents', { count: set.document_count })} · ${t('knowledge:words', { n: count(set.word_count) })}`}{' '}
                  · {t('knowledge:apps', { count: set.app_count })}
                </Text>
              </li>
            ))}
          </SimpleGrid>
          <Pages of={sets.data} place={place} />
        </Stack>
      )}
      {dialog === 'import' ? <ImportDataset close={() => setDialog(null)} /> : null}
      {dialog === 'external' ? <CreateExternal close={() => setDialog(null)} /> : null}
      {dialog === 'scanned' ? (
        <Modal opened onClose={() => setDialog(null)} title={t('knowledge:ocr.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
          <Text c="dimmed" fz="sm" mb="md">{t('knowledge:ocr.text')}</Text>
          <ScannedPages />
        </Modal>
      ) : null}
      {dialog === 'servers' ? <ServersDrawer close={() => setDialog(null)} /> : null}
      <Modal opened={params.has('create')} onClose={() => setCreating(false)} title={t('knowledge:create.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (name.trim()) create.mutate();
          }}
        >
          <Stack>
            <TextInput data-autofocus label={t('knowledge:create.name')} placeholder={t('knowledge:create.namePlaceholder')} required withAsterisk={false} maxLength={40} value={name} error={create.error ? text(create.error) : undefined} onChange={(event) => { setName(event.currentTarget.value); create.reset(); }} />
            <Textarea label={t('knowledge:create.description')} autosize minRows={2} maxLength={400} value={description} onChange={(event) => setDescription(event.currentTarget.value)} />
            <SummaryForm value={summaries} onChange={setSummaries} />
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
