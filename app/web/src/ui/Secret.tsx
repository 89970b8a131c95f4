import { PasswordInput, type PasswordInputProps } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

/** A field for a password or key, with a button that shows what was typed. */
export function Secret(props: PasswordInputProps) {
  const { t } = useTranslation();
  const [shown, setShown] = useState(false);
  return (
    <PasswordInput
      visible={shown}
      onVisibilityChange={setShown}
      visibilityToggleButtonProps={{ 'aria-label': t(shown ? 'action.hide' : 'action.show'), tabIndex: 0 }}
      {...props}
    />
  );
}
