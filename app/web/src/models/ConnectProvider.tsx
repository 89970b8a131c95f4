import { Alert, Anchor, Button, Checkbox, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { IconCheck, IconPlugConnected, IconPlugConnectedX } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useTranslation } from '@/i18n';

import type { Credential, Provider } from '@/api/types';
import { Secret } from '@/ui/Secret';
import { useErrorText } from '@/ui/errors';
import { done } from '@/ui/notify';
import { serverText } from '@/ui/serverText';
import { useAct } from '@/ui/useAct';

import { localised, modelApi, type ModelInput } from './api';
import css from './Models.module.css';

/** Address and key of a provider, tried before they are kept, and the models to add from it. */
export function ConnectProvider({ provider, credential, onClose }: { provider: Provider; credential?: Credential; onClose: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const label = localised(provider.label, provider.provider);
  const [name, setName] = useState(credential?.name ?? t('models:connect.defaultName'));
  const [address, setAddress] = useState(credential?.base_url ?? provider.defaults.base_url);
  const [key, setKey] = useState('');
  const [filter, setFilter] = useState('');
  const [picked, setPicked] = useState<Set<string>>(new Set());
  const keyRequired = provider.defaults.key_required && !credential;

  const test = useAct(
    () => modelApi.test(provider.provider, { base_url: address.trim(), api_key: key, ...(credential && !key ? { credential_id: credential.id } : {}) }),
    { quiet: true },
  );
  const found = useMemo<ModelInput[]>(() => {
    if (!test.data?.ok) return [];
    const known = new Set(provider.models.map((m) => m.model));
    return test.data.models
      .filter((entry) => !known.has(entry.model))
      .map(({ model, type, features, context_size }) => ({ model, type, features, context_size }));
  }, [test.data, provider.models]);
  const shown = found.filter((m) => m.model.toLowerCase().includes(filter.toLowerCase()));

  const save = useAct(
    async () => {
      const input = { name: name.trim(), base_url: address.trim(), ...(key ? { api_key: key } : {}) };
      if (credential) await modelApi.editCredential(provider.provider, credential.id, input);
      else await modelApi.addCredential(provider.provider, { ...input, api_key: key });
      for (const model of found) if (picked.has(model.model)) await modelApi.addModel(provider.provider, model);
    },
    {
      quiet: true,
      done: async () => {
        await Promise.all(
          ['providers', 'models', 'default-models'].map((queryKey) => client.invalidateQueries({ queryKey: [queryKey] })),
        );
        done(t('models:connect.saved', { name: label }));
        onClose();
      },
    },
  );
  const complete = address.trim() !== '' && (!keyRequired || key !== '');
  const toggle = (model: string) => {
    const next = new Set(picked);
    if (!next.delete(model)) next.add(model);
    setPicked(next);
  };
  const runTest = () =>
    test.mutate(undefined, {
      onSuccess: (answer) => {
        // A short list is wanted whole; a long one is for choosing.
        const names = answer.models.map((m) => (typeof m === 'string' ? m : m.model));
        setPicked(new Set(names.length <= 8 ? names : []));
      },
    });

  return (
    <Modal opened onClose={onClose} size="lg" title={t(credential ? 'models:connect.editTitle' : 'models:connect.title', { name: label })} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (complete) save.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={t('models:connect.address')}
            description={t('models:connect.addressText')}
            placeholder="http://192.168.1.20:11434/v1"
            type="url"
            data-autofocus={!address}
            required
            withAsterisk={false}
            value={address}
            onChange={(event) => setAddress(event.currentTarget.value)}
          />
          <Secret
            label={t(keyRequired || credential ? 'models:connect.key' : 'models:connect.keyOptional')}
            description={t('models:connect.keyText')}
            placeholder={credential?.key_masked}
            autoComplete="off"
            data-autofocus={Boolean(address)}
            value={key}
            onChange={(event) => setKey(event.currentTarget.value)}
          />
          {provider.defaults.help_url ? (
            <Anchor href={provider.defaults.help_url} target="_blank" rel="noreferrer" fz="sm">
              {t('models:connect.help', { name: label })}
            </Anchor>
          ) : null}
          <TextInput label={t('models:connect.name')} description={t('models:connect.nameText')} maxLength={60} value={name} onChange={(event) => setName(event.currentTarget.value)} />

          <Group>
            <Button variant="light" leftSection={<IconPlugConnected size={18} />} loading={test.isPending} disabled={!complete} onClick={runTest}>
              {t('models:connect.test')}
            </Button>
          </Group>
          {test.error || (test.data && !test.data.ok) ? (
            <Alert color="brick" icon={<IconPlugConnectedX size={20} />} title={t('models:connect.failed')} role="alert">
              {test.error ? text(test.error) : serverText(test.data.error ?? t('error.unknown'))}
            </Alert>
          ) : null}
          {test.data?.ok ? (
            <Alert color="moss" icon={<IconCheck size={20} />} role="status">
              {t('models:connect.ok', { ms: Math.round(test.data.latency_ms), count: test.data.models.length })}
            </Alert>
          ) : null}
          {found.length > 0 ? (
            <div>
              <Group justify="space-between" mb={6}>
                <Text fz="sm" fw={550}>{t('models:connect.pick')}</Text>
                <Button
                  size="compact-xs"
                  variant="subtle"
                  onClick={() => setPicked(picked.size === found.length ? new Set() : new Set(found.map((m) => m.model)))}
                >
                  {t(picked.size === found.length ? 'models:connect.pickNone' : 'models:connect.pickAll')}
                </Button>
              </Group>
              {found.length > 8 ? (
                <TextInput size="xs" mb={6} aria-label={t('action.search')} placeholder={t('action.search')} value={filter} onChange={(event) => setFilter(event.currentTarget.value)} />
              ) : null}
              <Stack gap={8} className={css.picks}>
                {shown.map((m) => (
                  <Checkbox
                    key={m.model}
                    label={m.model}
                    description={t(`models:type.${m.type}`)}
                    checked={picked.has(m.model)}
                    onChange={() => toggle(m.model)}
                  />
                ))}
              </Stack>
            </div>
          ) : null}
          {save.error ? (
            <Alert color="brick" role="alert">{text(save.error)}</Alert>
          ) : null}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>{t('action.cancel')}</Button>
            <Button type="submit" loading={save.isPending} disabled={!complete}>
              {picked.size > 0 ? t('models:connect.saveWith', { count: picked.size }) : t('action.save')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
