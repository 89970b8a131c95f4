import { notifications } from '@mantine/notifications';
import { IconCheck, IconX } from '@tabler/icons-react';

export function done(message: string): void {
  notifications.show({ message, color: 'moss', icon: <IconCheck size={18} />, autoClose: 2500 });
}

export function failed(title: string, message: string): void {
  notifications.show({ title, message, color: 'brick', icon: <IconX size={18} />, autoClose: 8000 });
}
