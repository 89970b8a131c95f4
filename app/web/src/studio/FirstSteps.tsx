import { Button, Text, Title } from '@mantine/core';
import { IconCheck } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from '@/i18n';
import { Link } from 'react-router';

import { http } from '@/api/http';
import type { Dataset, Page, Provider } from '@/api/types';

import css from './Studio.module.css';

/** From an empty box to the first answer, in three steps that tick themselves off. */
export function FirstSteps({ onCreate }: { onCreate: () => void }) {
  const { t } = useTranslation();
  const providers = useQuery({
    queryKey: ['providers'],
    queryFn: () => http.get<{ data: Provider[] }>('/model-providers'),
  });
  const datasets = useQuery({
    queryKey: ['datasets', 'list', 1, ''],
    queryFn: () => http.get<Page<Dataset>>('/datasets', { page: 1, limit: 30 }),
  });
  const hasModel = providers.data?.data.some((p) => p.configured && p.models.some((m) => m.type === 'llm')) ?? false;
  const hasKnowledge = (datasets.data?.total ?? 0) > 0;
  const steps = [
    { key: 'model', done: hasModel, action: <Button component={Link} to="/models" variant={hasModel ? 'default' : 'filled'}>{t('studio:first.model.action')}</Button> },
    { key: 'knowledge', done: hasKnowledge, action: <Button component={Link} to="/knowledge?create=1" variant={hasModel && !hasKnowledge ? 'filled' : 'default'}>{t('studio:first.knowledge.action')}</Button> },
    { key: 'app', done: false, action: <Button onClick={onCreate} variant={hasModel && hasKnowledge ? 'filled' : 'default'}>{t('studio:first.app.action')}</Button> },
  ] as const;
  return (
    <div>
      <Title order={2} fz={18} mb="md">
        {t('studio:first.title')}
      </Title>
      <ol className={css.steps}>
        {steps.map((step, i) => (
          <li key={step.key} className={css.step} data-done={step.done || undefined}>
            <span className={css.number} aria-label={step.done ? t('studio:first.done') : undefined}>
              {step.done ? <IconCheck size={18} /> : i + 1}
            </span>
            <Text fw={620}>{t(`studio:first.${step.key}.title`)}</Text>
            <Text c="dimmed" fz="sm" mb="xs">
              {t(`studio:first.${step.key}.text`)}
            </Text>
            <div style={{ marginTop: 'auto' }}>{step.action}</div>
          </li>
        ))}
      </ol>
    </div>
  );
}
