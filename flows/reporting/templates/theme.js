// The button that overrides the system's theme. The page is whole without it.
const root = document.documentElement;
const button = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");

const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
const label = () => { button.textContent = isDark() ? "Light theme" : "Dark theme"; };

button.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  label();
});
system.addEventListener("change", label);
button.hidden = false;
label();
