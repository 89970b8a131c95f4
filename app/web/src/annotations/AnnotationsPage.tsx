import { ActionIcon, Button, FileButton, Group, Stack, Table, Text, UnstyledButton } from '@mantine/core';
import { IconFileExport, IconFileImport, IconPlus, IconTrash } from '@tabler/icons-react';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import { url } from '@/api/http';
import type { Annotation } from '@/api/types';
import { useFrameApp } from '@/studio/AppFrame';
import { useConfirm } from '@/ui/confirm';
import { ago, count } from '@/ui/format';
import { Listing, SearchField, useListing } from '@/ui/Listing';
import { done } from '@/ui/notify';
import { Page } from '@/ui/Page';
import { useAct } from '@/ui/useAct';

import { annotationApi } from './api';
import { EditAnnotation } from './EditAnnotation';
import { ReplySection } from './ReplySection';

/** Questions an app answers in fixed words: the list, and how they are matched. */
export default function AnnotationsPage() {
  const { t } = useTranslation();
  const app = useFrameApp();
  const client = useQueryClient();
  const confirm = useConfirm();
  const place = useListing();
  const { page, wanted } = place;
  const [editing, setEditing] = useState<Annotation | 'new' | null>(null);
  const key = ['apps', 'annotations', app.id];
  const list = useQuery({ queryKey: [...key, page, wanted], queryFn: () => annotationApi.list(app.id, page, wanted), placeholderData: keepPreviousData });
  const refresh = () => client.invalidateQueries({ queryKey: key });
  const remove = useAct((id: string) => annotationApi.remove(app.id, id), { done: refresh });
  const bring = useAct((file: File) => annotationApi.import(app.id, file), {
    done: async ({ added }) => {
      await refresh();
      done(t('annotations:imported', { count: added }));
    },
  });
  const askRemove = async (row: Annotation) => {
    if (await confirm({ title: t('annotations:delete'), text: row.question, confirm: t('action.delete') })) remove.mutate(row.id);
  };
  const add = <Button leftSection={<IconPlus size={18} />} onClick={() => setEditing('new')}>{t('annotations:add')}</Button>;
  return (
    <Page title={t('annotations:title')} description={t('annotations:text')} actions={add}>
      <Stack gap="lg">
        <ReplySection appId={app.id} />
        <Group justify="space-between">
          <SearchField label={t('annotations:search')} place={place} />
          <Group gap="xs">
            <FileButton accept=".csv,text/csv" onChange={(file) => (file ? bring.mutate(file) : undefined)}>
              {(props) => <Button {...props} variant="default" loading={bring.isPending} leftSection={<IconFileImport size={18} />}>{t('annotations:import')}</Button>}
            </FileButton>
            <Button component="a" download href={url(`/apps/${app.id}/annotations/export`)} variant="default" leftSection={<IconFileExport size={18} />}>{t('annotations:export')}</Button>
          </Group>
        </Group>
        <Listing
          query={list}
          place={place}
          filtered={Boolean(wanted)}
          none={t('annotations:none')}
          noneText={t('annotations:noneText')}
          head={
            <>
              <Table.Th>{t('annotations:question')}</Table.Th>
              <Table.Th visibleFrom="sm">{t('annotations:answer')}</Table.Th>
              <Table.Th ta="right">{t('annotations:hits')}</Table.Th>
              <Table.Th visibleFrom="sm">{t('annotations:made')}</Table.Th>
              <Table.Th w={48} aria-label={t('action.delete')} />
            </>
          }
        >
          {(row) => (
            <Table.Tr key={row.id}>
              <Table.Td maw={300}>
                <UnstyledButton fw={550} fz="sm" onClick={() => setEditing(row)}><span className="sp-clamp-2">{row.question}</span></UnstyledButton>
                <Text fz="xs" c="dimmed" lineClamp={2} hiddenFrom="sm">{row.answer}</Text>
              </Table.Td>
              <Table.Td maw={420} visibleFrom="sm"><Text fz="sm" lineClamp={2}>{row.answer}</Text></Table.Td>
              <Table.Td ta="right" className="sp-num">{count(row.hit_count)}</Table.Td>
              <Table.Td visibleFrom="sm" style={{ whiteSpace: 'nowrap' }}>{ago(row.created_at)}</Table.Td>
              <Table.Td>
                <ActionIcon aria-label={t('annotations:remove', { name: row.question })} onClick={() => void askRemove(row)}><IconTrash size={18} /></ActionIcon>
              </Table.Td>
            </Table.Tr>
          )}
        </Listing>
      </Stack>
      {editing ? <EditAnnotation appId={app.id} {...(editing === 'new' ? {} : editing)} onClose={() => setEditing(null)} /> : null}
    </Page>
  );
}
