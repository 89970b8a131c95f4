import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';

/** The sparrow's back: the accent of everything that can be pressed. */
const sparrow: MantineColorsTuple = [
  '#fbf4ea', '#f5e6d2', '#eacda6', '#dfb277', '#d49a51', '#c0813a', '#a8682a', '#8a4f1d', '#733f15', '#5b3212',
];
/** Ink: neutrals with a trace of warmth. */
const gray: MantineColorsTuple = [
  '#faf7f2', '#f3eee6', '#e8e1d6', '#d8cfc1', '#bdb2a2', '#988d7e', '#756b5f', '#574f46', '#3a342d', '#241f1a',
];
const dark: MantineColorsTuple = [
  '#ece5dc', '#d2c9bd', '#aca294', '#857b6f', '#564d44', '#3b342d', '#2b2520', '#1f1b17', '#171412', '#100e0c',
];
const moss: MantineColorsTuple = [
  '#f0f6ee', '#dfebda', '#bfd8b5', '#9bc38d', '#7eb16b', '#6ba556', '#557f45', '#446b36', '#36562b', '#28411f',
];
const brick: MantineColorsTuple = [
  '#fdf1ee', '#f9ded8', '#f0b9ae', '#e78f7f', '#df6c57', '#d4553d', '#b8412c', '#983322', '#7c281a', '#5f1e13',
];

const FONT =
  'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "PingFang SC", "Hiragino Sans GB", ' +
  '"Microsoft YaHei", "Noto Sans SC", "Noto Sans CJK SC", "Source Han Sans SC", sans-serif';
const MONO =
  'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace';

/** Titles that hold names may need several lines. */
const TITLE = { lineHeight: 1.35, overflowWrap: 'anywhere' } as const;

export const theme = createTheme({
  primaryColor: 'sparrow',
  primaryShade: { light: 7, dark: 4 },
  autoContrast: true,
  luminanceThreshold: 0.34,
  colors: { sparrow, gray, dark, moss, brick, green: moss, red: brick },
  fontFamily: FONT,
  fontFamilyMonospace: MONO,
  headings: { fontFamily: FONT, fontWeight: '650' },
  defaultRadius: 'md',
  cursorType: 'pointer',
  radius: { xs: '4px', sm: '6px', md: '10px', lg: '16px', xl: '24px' },
  components: {
    Modal: { defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.4, blur: 2 }, radius: 'lg' }, styles: { title: TITLE } },
    Drawer: { defaultProps: { overlayProps: { backgroundOpacity: 0.35 } }, styles: { title: TITLE } },
    Tooltip: { defaultProps: { withArrow: true, openDelay: 300 } },
    ActionIcon: { defaultProps: { variant: 'subtle', color: 'gray' } },
    Card: { defaultProps: { withBorder: true, padding: 'lg', radius: 'lg' } },
    Menu: { defaultProps: { shadow: 'md', position: 'bottom-end', withinPortal: true } },
  },
});

export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-body': '#ffffff',
    '--mantine-color-text': '#2a241e',
    '--mantine-color-dimmed': '#756b5f',
    '--mantine-color-default-border': '#e3dbcf',
    '--mantine-color-placeholder': '#83796b',
    '--mantine-color-error': '#b8412c',
  },
  dark: {
    '--mantine-color-body': '#1f1b17',
    '--mantine-color-text': '#ece5dc',
    '--mantine-color-dimmed': '#aca294',
    '--mantine-color-default-border': '#3b342d',
    '--mantine-color-placeholder': '#9a8f82',
    '--mantine-color-error': '#e78f7f',
  },
});
