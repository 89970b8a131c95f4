import { Button, Group, Text } from '@mantine/core';
import { IconAlertTriangle, IconUpload } from '@tabler/icons-react';

import { useTranslation } from '@/i18n';
import { useConfirm } from '@/ui/confirm';
import { done } from '@/ui/notify';
import { useAct } from '@/ui/useAct';

import css from './Prompt.module.css';
import type { useModelConfig } from './useModelConfig';

/** Says at the foot of the settings that clients do not use them yet, or that they were changed somewhere else. */
export function PublishBar({ model }: { model: ReturnType<typeof useModelConfig> }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const publish = useAct(() => model.publish(), { done: () => done(t('prompt:publish.done')) });
  const discard = useAct(() => model.discard());
  const load = useAct(() => model.load());
  const keep = useAct(() => model.keep());
  const askDiscard = async () => {
    if (await confirm({ title: t('prompt:publish.discardTitle'), text: t('prompt:publish.discardText'), confirm: t('prompt:publish.discard') })) discard.mutate();
  };
  if (model.state === 'conflict') {
    return (
      <div className={css.bar} role="alert">
        <IconAlertTriangle size={18} aria-hidden color="var(--mantine-color-error)" />
        <Text fz="sm" flex="1 1 220px">{t('prompt:conflict.text')}</Text>
        <Group gap="xs">
          <Button size="xs" variant="default" loading={load.isPending} onClick={() => load.mutate()}>{t('prompt:conflict.load')}</Button>
          <Button size="xs" loading={keep.isPending} onClick={() => keep.mutate()}>{t('prompt:conflict.keep')}</Button>
        </Group>
      </div>
    );
  }
  if (model.published && !publish.isPending) return null;
  return (
    <section className={css.bar} aria-label={t('prompt:publish.title')}>
      <Text fz="sm" flex="1 1 220px">{t('prompt:publish.text')}</Text>
      <Group gap="xs">
        <Button size="xs" variant="default" loading={discard.isPending} onClick={() => void askDiscard()}>{t('prompt:publish.discard')}</Button>
        <Button size="xs" leftSection={<IconUpload size={16} />} loading={publish.isPending} onClick={() => publish.mutate()}>{t('prompt:publish.action')}</Button>
      </Group>
    </section>
  );
}
