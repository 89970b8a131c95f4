import i18next from 'i18next';
import { initReactI18next, useTranslation as useNamespaces } from 'react-i18next';

import type en from './locales/en';
import { setCatalogue } from './ui/serverText';

export type Language = 'zh' | 'en';

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'common';
    resources: typeof en;
  }
}

const NAMESPACES = ['common', 'access', 'annotations', 'auth', 'box', 'chat', 'errors', 'flow', 'knowledge', 'logs', 'models', 'prompt', 'share', 'studio', 'tools', 'versions'] as const;

/** Texts of every namespace: `t('action.save')` is of common, `t('auth:login.title')` of auth. */
export function useTranslation() {
  return useNamespaces(NAMESPACES);
}

const STORE = 'sparrow-language';

/** The language chosen before, else the browser's, else English. */
export function detectLanguage(stored: string | null, wanted: readonly string[]): Language {
  if (stored === 'zh' || stored === 'en') return stored;
  for (const tag of wanted) {
    const language = tag.toLowerCase().split('-')[0];
    if (language === 'zh' || language === 'en') return language;
  }
  return 'en';
}

async function load(language: Language): Promise<void> {
  if (i18next.hasResourceBundle(language, 'common')) return;
  const bundle = language === 'zh' ? await import('./locales/zh') : await import('./locales/en');
  for (const [namespace, texts] of Object.entries(bundle.default)) {
    i18next.addResourceBundle(language, namespace, texts);
  }
}

async function mark(language: Language): Promise<void> {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  setCatalogue(language === 'zh' ? (await import('./locales/server.zh.json')).default : null);
}

export async function startI18n(): Promise<void> {
  const language = detectLanguage(localStorage.getItem(STORE), navigator.languages);
  await i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: false,
    defaultNS: 'common',
    resources: {},
    showSupportNotice: false,
    interpolation: { escapeValue: false },
    react: { useSuspense: false },
  });
  await load(language);
  await i18next.changeLanguage(language);
  await mark(language);
}

/** Switches the language everywhere and remembers it on this device. */
export async function switchLanguage(language: Language): Promise<void> {
  await load(language);
  await i18next.changeLanguage(language);
  localStorage.setItem(STORE, language);
  await mark(language);
}

export function currentLanguage(): Language {
  return i18next.language === 'zh' ? 'zh' : 'en';
}

/** The language as the server writes it. */
export function serverLanguage(): 'zh-Hans' | 'en-US' {
  return currentLanguage() === 'zh' ? 'zh-Hans' : 'en-US';
}
