// Sets the theme of Airflow before the first paint. Airflow 3 stores it as "theme", Airflow 2 as "darkTheme".
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");

  function find() {
    try {
      const theme = localStorage.getItem("theme");
      if (theme === "light" || theme === "dark") return theme;
      const isDark = localStorage.getItem("darkTheme");
      if (theme === null && isDark !== null) return isDark === "true" ? "dark" : "light";
    } catch {
      // The browser stores nothing for this site.
    }
    return system.matches ? "dark" : "light";
  }

  const apply = () => (document.documentElement.dataset.theme = find());
  apply();
  // The user switches the theme in Airflow, or in another tab.
  addEventListener("storage", apply);
  system.addEventListener("change", apply);
})();
