import { notifications, type NotificationData } from '@mantine/notifications';
import { IconCheck, IconX } from '@tabler/icons-react';
import i18next from 'i18next';

function show(data: NotificationData): void {
  notifications.show({ ...data, closeButtonProps: { 'aria-label': i18next.t('action.close') } });
}

export function done(message: string): void {
  show({ message, color: 'moss', icon: <IconCheck size={18} />, autoClose: 2500 });
}

export function failed(title: string, message: string): void {
  show({ title, message, color: 'brick', icon: <IconX size={18} />, autoClose: 8000 });
}
