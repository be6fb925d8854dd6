import "./address";
import { createRoot } from "react-dom/client";
import { App } from "./components/App";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/home.css";
import "./styles/pages.css";

const root = document.getElementById("root");
if (root) createRoot(root).render(<App />);
