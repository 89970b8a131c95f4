import { ActionIcon, Badge, Button, Collapse, Group, Paper, Stack, Text, Tooltip } from '@mantine/core';
import { IconChevronDown, IconKey, IconPencil, IconPlus, IconTrash } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { Credential, Model, Provider } from '@/api/types';
import { useConfirm } from '@/ui/confirm';
import { count } from '@/ui/format';
import { useAct } from '@/ui/useAct';

import { AddModel } from './AddModel';
import { localised, modelApi } from './api';
import { ConnectProvider } from './ConnectProvider';
import css from './Models.module.css';
import { ProviderMark } from './ProviderMark';

/** A connected provider: its keys and its models. */
export function ProviderCard({ provider }: { provider: Provider }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [open, setOpen] = useState(provider.models.length <= 6);
  const [dialog, setDialog] = useState<'key' | 'model' | Credential | null>(null);
  const label = localised(provider.label, provider.provider);
  const refresh = async () => {
    await Promise.all([
      client.invalidateQueries({ queryKey: ['providers'] }),
      client.invalidateQueries({ queryKey: ['models'] }),
      client.invalidateQueries({ queryKey: ['default-models'] }),
    ]);
  };
  const removeKey = useAct((id: string) => modelApi.removeCredential(provider.provider, id), { done: refresh });
  const removeModel = useAct((m: Model) => modelApi.removeModel(provider.provider, m.type, m.model), { done: refresh });
  // The embedding model in the box needs no key and cannot be taken away.
  const builtIn = provider.credentials.length === 0;

  return (
    <Paper withBorder radius="lg" p={{ base: 'md', sm: 'lg' }} bg="var(--sp-card)" component="article" aria-label={label}>
      <Group justify="space-between" wrap="nowrap">
        <Group gap="sm" wrap="nowrap" style={{ minWidth: 0 }}>
          <ProviderMark name={label} />
          <div style={{ minWidth: 0 }}>
            <Text fw={620} truncate>
              {label}
            </Text>
            <Text c="dimmed" fz="xs">
              {t('models:count', { count: provider.models.length })}
            </Text>
          </div>
        </Group>
        <Tooltip label={t(open ? 'models:hide' : 'models:show')}>
          <ActionIcon onClick={() => setOpen(!open)} aria-expanded={open} aria-label={t(open ? 'models:hide' : 'models:show')}>
            <IconChevronDown size={18} style={{ transform: open ? 'rotate(180deg)' : undefined, transition: 'transform 150ms' }} />
          </ActionIcon>
        </Tooltip>
      </Group>
      {provider.credentials.length > 0 ? (
        <Stack gap="xs" mt="md">
          {provider.credentials.map((credential) => (
            <div key={credential.id} className={css.credential}>
              <IconKey size={18} stroke={1.6} aria-hidden style={{ flex: 'none' }} />
              <div style={{ minWidth: 0, flex: 1 }}>
                <Text fz="sm" fw={550} truncate>
                  {credential.name}
                </Text>
                <Text c="dimmed" fz="xs" style={{ overflowWrap: 'anywhere' }}>
                  {[credential.base_url, credential.key_masked].filter(Boolean).join(' · ')}
                </Text>
              </div>
              <ActionIcon aria-label={t('models:editKey', { name: credential.name })} onClick={() => setDialog(credential)}>
                <IconPencil size={18} />
              </ActionIcon>
              <ActionIcon
                aria-label={t('models:removeKey', { name: credential.name })}
                onClick={() =>
                  void confirm({
                    title: t('models:removeKeyTitle', { name: credential.name }),
                    text: t('models:removeKeyText'),
                    confirm: t('action.delete'),
                  }).then((yes) => (yes ? removeKey.mutate(credential.id) : undefined))
                }
              >
                <IconTrash size={18} />
              </ActionIcon>
            </div>
          ))}
        </Stack>
      ) : null}
      <Collapse expanded={open}>
        <div style={{ marginTop: 12 }}>
          {provider.models.map((model) => (
            <div key={`${model.type}/${model.model}`} className={css.model}>
              <div style={{ minWidth: 0, flex: 1 }}>
                <Text fz="sm" fw={550} style={{ overflowWrap: 'anywhere' }}>
                  {model.model}
                </Text>
                <Group gap={6} mt={4}>
                  <Badge size="sm" variant="light" tt="none" fw={550}>
                    {t(`models:type.${model.type}`)}
                  </Badge>
                  {model.context_size ? (
                    <Badge size="sm" variant="default" tt="none" fw={500}>
                      {t('models:context', { n: count(model.context_size) })}
                    </Badge>
                  ) : null}
                  {model.features
                    .filter((f) => f === 'vision' || f === 'tool-call' || f === 'agent-thought' || f === 'structured-output')
                    .map((feature) => (
                      <Badge key={feature} size="sm" variant="default" tt="none" fw={500}>
                        {t(`models:feature.${feature}`)}
                      </Badge>
                    ))}
                </Group>
              </div>
              {builtIn || !model.custom ? null : (
                <ActionIcon
                  aria-label={t('models:removeModel', { name: model.model })}
                  onClick={() =>
                    void confirm({
                      title: t('models:removeModelTitle', { name: model.model }),
                      text: t('models:removeModelText'),
                      confirm: t('action.remove'),
                    }).then((yes) => (yes ? removeModel.mutate(model) : undefined))
                  }
                >
                  <IconTrash size={18} />
                </ActionIcon>
              )}
            </div>
          ))}
        </div>
      </Collapse>
      {builtIn ? null : (
        <Group gap="xs" mt="md">
          <Button size="xs" variant="default" leftSection={<IconPlus size={16} />} onClick={() => setDialog('model')}>
            {t('models:addModel.action')}
          </Button>
          <Button size="xs" variant="subtle" leftSection={<IconKey size={16} />} onClick={() => setDialog('key')}>
            {t('models:anotherKey')}
          </Button>
        </Group>
      )}
      {dialog === 'model' ? <AddModel provider={provider} onClose={() => setDialog(null)} /> : null}
      {dialog === 'key' ? <ConnectProvider provider={provider} onClose={() => setDialog(null)} /> : null}
      {dialog && typeof dialog === 'object' ? (
        <ConnectProvider provider={provider} credential={dialog} onClose={() => setDialog(null)} />
      ) : null}
    </Paper>
  );
}
