import { ActionIcon, Alert, Badge, Button, Drawer, Group, Modal, NumberInput, Select, Stack, Switch, Table, Text, TextInput, Tooltip } from '@mantine/core';
import { IconDeviceFloppy, IconPencil, IconPlus, IconTrash, IconX } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { Doc, MetadataField } from '@/api/types';
import { useConfirm } from '@/ui/confirm';
import { dateTime } from '@/ui/format';
import { Failed, RowSkeletons } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import { fromDate, toDate } from './Filter';

const TYPES = ['string', 'number', 'time'] as const;

export function useFields(datasetId: string) {
  return useQuery({ queryKey: ['datasets', 'metadata', datasetId], queryFn: () => knowledgeApi.metadata(datasetId) });
}

const plain = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

/** A value of metadata as it is read. */
export function useValueText() {
  const { t } = useTranslation();
  return (name: string, type: string, value: unknown): string => {
    if (value === null || value === undefined || value === '') return '–';
    if (type === 'time' || name === 'upload_date' || name === 'last_update_date') return dateTime(Number(value));
    if (name === 'source') return t(value === 'website_crawl' ? 'knowledge:metadata.fromWeb' : 'knowledge:metadata.fromFile');
    return plain(value);
  };
}

/** The fields of a base: the built-in ones on or off, own ones made, renamed and deleted. */
export function FieldsDrawer({ datasetId, close }: { datasetId: string; close: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const fields = useFields(datasetId);
  const [name, setName] = useState('');
  const [type, setType] = useState<string>('string');
  const [renaming, setRenaming] = useState<{ id: string; name: string } | null>(null);
  const refresh = () => client.invalidateQueries({ queryKey: ['datasets'] });
  const add = useAct(() => knowledgeApi.addField(datasetId, name.trim(), type), {
    done: () => {
      setName('');
      return refresh();
    },
  });
  const rename = useAct((field: { id: string; name: string }) => knowledgeApi.renameField(datasetId, field.id, field.name.trim()), {
    done: () => {
      setRenaming(null);
      return refresh();
    },
  });
  const remove = useAct((id: string) => knowledgeApi.removeField(datasetId, id), { done: refresh });
  const builtIn = useAct((on: boolean) => knowledgeApi.builtIn(datasetId, on), { done: refresh });
  const askRemove = async (field: MetadataField) => {
    if (await confirm({ title: t('knowledge:metadata.delete', { name: field.name }), text: t('knowledge:metadata.deleteText', { count: field.count }), confirm: t('action.delete') })) remove.mutate(field.id);
  };
  return (
    <Drawer opened onClose={close} position="right" size="md" title={t('knowledge:metadata.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Stack>
        <Text fz="sm" c="dimmed">{t('knowledge:metadata.text')}</Text>
        {fields.isPending ? <RowSkeletons n={3} /> : fields.error ? <Failed error={fields.error} retry={() => fields.refetch()} /> : (
          <>
            {fields.data.doc_metadata.length ? (
              <Stack gap={6} component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
                {fields.data.doc_metadata.map((field) => (
                  <Group key={field.id} component="li" gap="xs" wrap="nowrap">
                    {renaming?.id === field.id ? (
                      <form
                        style={{ flex: 1, display: 'flex', gap: 4, alignItems: 'center' }}
                        onSubmit={(event) => {
                          event.preventDefault();
                          if (renaming.name.trim()) rename.mutate(renaming);
                        }}
                      >
                        <TextInput autoFocus flex={1} aria-label={t('knowledge:metadata.name')} maxLength={255} value={renaming.name} onChange={(event) => setRenaming({ id: field.id, name: event.currentTarget.value })} />
                        <ActionIcon type="submit" aria-label={t('action.save')} loading={rename.isPending}><IconDeviceFloppy size={18} /></ActionIcon>
                        <ActionIcon aria-label={t('action.cancel')} onClick={() => setRenaming(null)}><IconX size={18} /></ActionIcon>
                      </form>
                    ) : (
                      <>
                        <Text fz="sm" fw={550} flex={1} style={{ overflowWrap: 'anywhere' }}>{field.name}</Text>
                        <Badge variant="default" tt="none" style={{ flex: 'none' }}>{t(`knowledge:metadata.type.${field.type}`)}</Badge>
                        <Text fz="xs" c="dimmed" style={{ flex: 'none' }}>{t('knowledge:documents', { count: field.count })}</Text>
                        <Tooltip label={t('knowledge:rename')}><ActionIcon aria-label={t('knowledge:metadata.renameNamed', { name: field.name })} onClick={() => setRenaming(field)}><IconPencil size={16} /></ActionIcon></Tooltip>
                        <Tooltip label={t('action.delete')}><ActionIcon aria-label={t('knowledge:metadata.deleteNamed', { name: field.name })} onClick={() => void askRemove(field)}><IconTrash size={16} /></ActionIcon></Tooltip>
                      </>
                    )}
                  </Group>
                ))}
              </Stack>
            ) : <Text fz="sm" c="dimmed">{t('knowledge:metadata.none')}</Text>}
            <form
              onSubmit={(event) => {
                event.preventDefault();
                if (name.trim()) add.mutate();
              }}
            >
              <Group align="flex-end" gap="xs">
                <TextInput flex="2 1 160px" label={t('knowledge:metadata.newField')} maxLength={255} value={name} onChange={(event) => setName(event.currentTarget.value)} />
                <Select flex="1 1 100px" label={t('knowledge:metadata.kind')} allowDeselect={false} value={type} onChange={(value) => setType(value ?? 'string')} data={TYPES.map((value) => ({ value, label: t(`knowledge:metadata.type.${value}`) }))} />
                <Button type="submit" variant="light" leftSection={<IconPlus size={16} />} loading={add.isPending} disabled={!name.trim()}>{t('action.add')}</Button>
              </Group>
            </form>
            <Switch
              mt="sm"
              label={t('knowledge:metadata.builtInLabel')}
              description={t('knowledge:metadata.builtInText')}
              checked={fields.data.built_in_field_enabled}
              onChange={(event) => builtIn.mutate(event.currentTarget.checked)}
            />
            <Group gap={6}>
              {fields.data.built_in.map((field) => <Badge key={field.name} variant="outline" tt="none" color="gray">{t(`knowledge:metadata.builtIn.${field.name as 'source'}`)}</Badge>)}
            </Group>
          </>
        )}
      </Stack>
    </Drawer>
  );
}

/** One value for a field; for several documents it says where they differ. */
function ValueInput({ field, value, mixed, onChange }: { field: MetadataField; value: unknown; mixed: boolean; onChange: (value: string | number | null) => void }) {
  const { t } = useTranslation();
  const placeholder = mixed ? t('knowledge:metadata.mixed') : undefined;
  const shared = { 'aria-label': field.name, placeholder };
  if (field.type === 'number') {
    return <NumberInput {...shared} value={typeof value === 'number' ? value : value === null || value === undefined ? '' : Number(value)} onChange={(next) => onChange(next === '' ? null : Number(next))} />;
  }
  if (field.type === 'time') {
    return <TextInput {...shared} type="datetime-local" description={placeholder} value={toDate(value)} onChange={(event) => onChange(fromDate(event.currentTarget.value))} />;
  }
  return <TextInput {...shared} value={value === null || value === undefined ? '' : plain(value)} onChange={(event) => onChange(event.currentTarget.value || null)} />;
}

/** The metadata of one document or many: only what is changed is written. */
export function ValuesDialog({ datasetId, docs, close, done, manage }: { datasetId: string; docs: Doc[]; close: () => void; done: () => unknown; manage?: () => void }) {
  const { t } = useTranslation();
  const fields = useFields(datasetId);
  const [changed, setChanged] = useState<Record<string, string | number | null>>({});
  const save = useAct(
    () => {
      const own = fields.data?.doc_metadata ?? [];
      return knowledgeApi.setMetadata(datasetId, docs.map((doc) => ({
        document_id: doc.id,
        partial_update: true,
        metadata_list: own.filter((field) => field.id in changed).map((field) => ({ id: field.id, name: field.name, value: changed[field.id] ?? null })),
      })));
    },
    {
      done: async () => {
        close();
        await done();
      },
    },
  );
  const present = (field: MetadataField) => docs.map((doc) => doc.doc_metadata?.find((entry) => entry.id === field.id)?.value ?? null);
  return (
    <Modal opened onClose={close} title={docs.length === 1 ? t('knowledge:metadata.of', { name: docs[0]?.name ?? '' }) : t('knowledge:metadata.ofMany', { count: docs.length })} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack>
          {fields.isPending ? <RowSkeletons n={3} /> : fields.error ? <Failed error={fields.error} retry={() => fields.refetch()} /> : fields.data.doc_metadata.length === 0 ? (
            <Alert color="sparrow">{t('knowledge:metadata.none')}</Alert>
          ) : (
            <Table layout="fixed" withRowBorders={false} verticalSpacing={4} horizontalSpacing={4}>
              <Table.Tbody>
                {fields.data.doc_metadata.map((field) => {
                  const values = present(field);
                  const same = values.every((value) => value === values[0]);
                  return (
                    <Table.Tr key={field.id}>
                      <Table.Th w="36%" fw={550} fz="sm" style={{ overflowWrap: 'anywhere' }}>{field.name}</Table.Th>
                      <Table.Td>
                        <ValueInput field={field} mixed={!same && !(field.id in changed)} value={field.id in changed ? changed[field.id] : same ? values[0] : null} onChange={(value) => setChanged({ ...changed, [field.id]: value })} />
                      </Table.Td>
                    </Table.Tr>
                  );
                })}
              </Table.Tbody>
            </Table>
          )}
          <Group justify="space-between">
            {manage ? <Button variant="subtle" onClick={manage}>{t('knowledge:metadata.manage')}</Button> : <span />}
            <Group gap="xs">
              <Button variant="default" onClick={close}>{t('action.cancel')}</Button>
              <Button type="submit" loading={save.isPending} disabled={Object.keys(changed).length === 0}>{t('action.save')}</Button>
            </Group>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
