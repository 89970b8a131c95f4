// Sets colours and language before the first paint, so that nothing flashes. A file of its own,
// because the content security policy allows no inline script.
(function () {
  var scheme = 'auto';
  var language = null;
  try {
    scheme = localStorage.getItem('sparrow-colours') || 'auto';
    language = localStorage.getItem('sparrow-language');
  } catch (_) {
    /* storage may be switched off; the defaults serve */
  }
  if (scheme === 'auto') {
    scheme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  }
  document.documentElement.setAttribute('data-mantine-color-scheme', scheme);
  language = language || navigator.language || 'en';
  document.documentElement.lang = language.toLowerCase().indexOf('zh') === 0 ? 'zh-CN' : 'en';
})();
