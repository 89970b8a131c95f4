import { SimpleGrid, Stack, Text, TextInput, Title, UnstyledButton } from '@mantine/core';
import { IconPlus, IconSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { Provider } from '@/api/types';
import { Page } from '@/ui/Page';
import { CardSkeletons, Failed } from '@/ui/states';

import { localised, useProviders } from './api';
import { ConnectProvider } from './ConnectProvider';
import { DefaultModelsSection } from './DefaultModels';
import css from './Models.module.css';
import { ProviderCard } from './ProviderCard';
import { ProviderMark } from './ProviderMark';

export default function Models() {
  const { t } = useTranslation();
  const providers = useProviders();
  const [connecting, setConnecting] = useState<Provider | null>(null);
  const [search, setSearch] = useState('');
  const all = providers.data?.data ?? [];
  const ready = all.filter((p) => p.configured);
  const rest = all.filter(
    (p) => !p.configured && `${localised(p.label, '')} ${p.provider}`.toLowerCase().includes(search.toLowerCase()),
  );
  return (
    <Page title={t('models:title')} description={t('models:text')}>
      {providers.isPending ? (
        <CardSkeletons n={6} height={96} />
      ) : providers.error ? (
        <Failed error={providers.error} retry={() => providers.refetch()} />
      ) : (
        <Stack gap="xl">
          <DefaultModelsSection />
          {ready.length > 0 ? (
            <Stack component="section" gap="md" aria-labelledby="connected">
              <Title order={2} fz={18} id="connected">
                {t('models:connected')}
              </Title>
              {ready.map((provider) => (
                <ProviderCard key={provider.provider} provider={provider} />
              ))}
            </Stack>
          ) : null}
          <Stack component="section" gap="md" aria-labelledby="available">
            <div>
              <Title order={2} fz={18} id="available">
                {t('models:available')}
              </Title>
              <Text c="dimmed" fz="sm">
                {t('models:availableText')}
              </Text>
            </div>
            <TextInput
              aria-label={t('models:search')}
              placeholder={t('models:search')}
              leftSection={<IconSearch size={16} />}
              maw={320}
              value={search}
              onChange={(event) => setSearch(event.currentTarget.value)}
            />
            <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="sm">
              {rest.map((provider) => {
                const label = localised(provider.label, provider.provider);
                return (
                  <UnstyledButton key={provider.provider} className={css.provider} onClick={() => setConnecting(provider)}>
                    <ProviderMark name={label} />
                    <div style={{ minWidth: 0 }}>
                      <Text fw={600} truncate>
                        {label}
                      </Text>
                      <Text c="dimmed" fz="xs" truncate>
                        {provider.defaults.base_url || t('models:ownAddress')}
                      </Text>
                    </div>
                    <IconPlus size={18} style={{ marginLeft: 'auto', flex: 'none' }} aria-hidden />
                  </UnstyledButton>
                );
              })}
            </SimpleGrid>
            {rest.length === 0 ? <Text c="dimmed">{t('state.noMatch')}</Text> : null}
          </Stack>
        </Stack>
      )}
      {connecting ? <ConnectProvider provider={connecting} onClose={() => setConnecting(null)} /> : null}
    </Page>
  );
}
