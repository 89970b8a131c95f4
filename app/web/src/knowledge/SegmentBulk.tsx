import { Button, Group, Text } from '@mantine/core';
import { useTranslation } from '@/i18n';

import { useConfirm } from '@/ui/confirm';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import css from './Knowledge.module.css';

/** What can be done with the chosen chunks at once. */
export function SegmentBulk({ datasetId, documentId, chosen, clear, refresh }: { datasetId: string; documentId: string; chosen: string[]; clear: () => void; refresh: () => unknown }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const after = async () => {
    clear();
    await refresh();
  };
  const status = useAct((action: 'enable' | 'disable') => knowledgeApi.segmentsStatus(datasetId, documentId, chosen, action), { done: after });
  const remove = useAct(() => knowledgeApi.removeSegments(datasetId, documentId, chosen), { done: after });
  const askRemove = async () => {
    if (await confirm({ title: t('knowledge:segments.bulkDelete', { count: chosen.length }), text: t('knowledge:segments.bulkDeleteText'), confirm: t('action.delete') })) remove.mutate();
  };
  return (
    <Group gap="xs" role="toolbar" aria-label={t('knowledge:segments.bulk')} className={css.bulk}>
      <Text fz="sm" fw={550}>{t('knowledge:bulk.chosen', { count: chosen.length })}</Text>
      <Button size="xs" variant="default" loading={status.isPending && status.variables === 'enable'} onClick={() => status.mutate('enable')}>{t('knowledge:bulk.enable')}</Button>
      <Button size="xs" variant="default" loading={status.isPending && status.variables === 'disable'} onClick={() => status.mutate('disable')}>{t('knowledge:bulk.disable')}</Button>
      <Button size="xs" variant="light" color="brick" loading={remove.isPending} onClick={() => void askRemove()}>{t('action.delete')}</Button>
      <Button size="xs" variant="subtle" onClick={clear}>{t('action.cancel')}</Button>
    </Group>
  );
}
