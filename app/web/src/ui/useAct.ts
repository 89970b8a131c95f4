import { useMutation, type UseMutationResult } from '@tanstack/react-query';
import { useTranslation } from '@/i18n';

import { useErrorText } from './errors';
import { failed } from './notify';

/** A mutation whose failure is shown to the reader in plain words, whatever it was. */
export function useAct<T, V = void>(
  act: (input: V) => Promise<T>,
  options: { done?: (result: T, input: V) => unknown; quiet?: boolean } = {},
): UseMutationResult<T, Error, V> {
  const { t } = useTranslation();
  const text = useErrorText();
  return useMutation<T, Error, V>({
    mutationFn: act,
    onSuccess: (result, input) => options.done?.(result, input),
    onError: (error) => {
      if (!options.quiet) failed(t('error.title'), text(error));
    },
  });
}
