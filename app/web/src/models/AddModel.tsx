import { Button, Checkbox, Group, Modal, NumberInput, Select, Stack, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { ModelType, Provider } from '@/api/types';
import { useErrorText } from '@/ui/errors';
import { useAct } from '@/ui/useAct';

import { guessFeatures, guessType, localised, MODEL_TYPES, modelApi } from './api';

/** Adds a model by its name, for providers that do not list theirs. */
export function AddModel({ provider, onClose }: { provider: Provider; onClose: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const [model, setModel] = useState('');
  const [type, setType] = useState<ModelType>('llm');
  const [context, setContext] = useState<number | string>('');
  const [tools, setTools] = useState(true);
  const [vision, setVision] = useState(false);
  const add = useAct(
    () =>
      modelApi.addModel(provider.provider, {
        model: model.trim(),
        type,
        context_size: typeof context === 'number' ? context : null,
        features: type === 'llm' ? [...(tools ? ['tool-call', 'multi-tool-call', 'stream-tool-call'] : []), ...(vision ? ['vision'] : [])] : [],
      }),
    {
      quiet: true,
      done: async () => {
        await Promise.all([client.invalidateQueries({ queryKey: ['providers'] }), client.invalidateQueries({ queryKey: ['models'] })]);
        onClose();
      },
    },
  );
  return (
    <Modal opened onClose={onClose} title={t('models:addModel.title', { name: localised(provider.label, provider.provider) })} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (model.trim()) add.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={t('models:addModel.name')}
            description={t('models:addModel.nameText')}
            data-autofocus
            required
            withAsterisk={false}
            value={model}
            error={add.error ? text(add.error) : undefined}
            onChange={(event) => {
              const name = event.currentTarget.value;
              setModel(name);
              setType(guessType(name));
              setTools(guessFeatures(name).includes('tool-call'));
              setVision(guessFeatures(name).includes('vision'));
            }}
          />
          <Group grow align="flex-start">
            <Select
              label={t('models:addModel.type')}
              allowDeselect={false}
              value={type}
              onChange={(value) => setType(value as ModelType)}
              data={MODEL_TYPES.map((value) => ({ value, label: t(`models:type.${value}`) }))}
            />
            <NumberInput label={t('models:addModel.context')} placeholder="32768" min={256} step={1024} thousandSeparator=" " value={context} onChange={setContext} />
          </Group>
          {type === 'llm' ? (
            <Group>
              <Checkbox label={t('models:feature.tool-call')} checked={tools} onChange={(event) => setTools(event.currentTarget.checked)} />
              <Checkbox label={t('models:feature.vision')} checked={vision} onChange={(event) => setVision(event.currentTarget.checked)} />
            </Group>
          ) : null}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>{t('action.cancel')}</Button>
            <Button type="submit" loading={add.isPending} disabled={!model.trim()}>{t('action.add')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
