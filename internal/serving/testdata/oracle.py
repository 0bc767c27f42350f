"""Trains models with the real XGBoost and says what it predicts.

Usage: oracle.py FOLDER. Writes FOLDER/NAME.json (the model) and prints one
JSON object: {NAME: {"rows": [[...]], "margins": [[...]], "predictions": [...]}}.
Missing values are null. float32 values are printed as the doubles equal to them.
"""
import json
import sys

import numpy as np
import xgboost as xgb

folder = sys.argv[1]
random = np.random.default_rng(7)


def rows(n, width, missing):
    x = random.normal(size=(n, width)).astype(np.float32)
    x[random.random(x.shape) < missing] = np.nan
    return x


def listed(a):
    a = np.asarray(a, dtype=np.float64)
    return json.loads(json.dumps(a.tolist()).replace("NaN", "null"))


def case(name, params, x, y, rounds=8, types=None, base_score_text=None):
    data = xgb.DMatrix(x, label=y, feature_types=types, enable_categorical=types is not None)
    booster = xgb.train(dict(params, max_depth=params.get("max_depth", 4), seed=1), data, rounds)
    path = f"{folder}/{name}.json"
    booster.save_model(path)
    if base_score_text is not None:  # as versions before 3 wrote it
        with open(path) as f:
            model = json.load(f)
        model["learner"]["learner_model_param"]["base_score"] = base_score_text
        with open(path, "w") as f:
            json.dump(model, f)
    # Loaded again: base_score loses digits in the file.
    booster = xgb.Booster(model_file=path)
    # Border values: every threshold itself.
    borders = []
    for tree in json.load(open(path))["learner"]["gradient_booster"]["model"]["trees"]:
        for feature, condition, left, kind in zip(
            tree["split_indices"], tree["split_conditions"], tree["left_children"], tree["split_type"]
        ):
            if left >= 0 and kind == 0 and len(borders) < 200:
                row = x[len(borders) % len(x)].copy()
                row[feature] = np.float32(condition)
                borders.append(row)
    probe = np.vstack([x, np.array(borders, dtype=np.float32).reshape(-1, x.shape[1])])
    probe = np.vstack([probe, np.full((1, x.shape[1]), np.nan, dtype=np.float32)])
    asked = xgb.DMatrix(probe, feature_types=types, enable_categorical=types is not None)
    return {
        "rows": listed(probe),
        "margins": listed(booster.predict(asked, output_margin=True)),
        "predictions": listed(booster.predict(asked)),
    }


x = rows(400, 5, 0.15)
clean = np.nan_to_num(x)
score = clean[:, 0] + np.abs(clean[:, 1]) - clean[:, 2] * clean[:, 3]
binary = (score + random.normal(size=len(x)) > 0.5).astype(int)
multi = np.digitize(score, [-0.5, 0.7])
positive = np.exp(score * 0.3)
categorical = np.column_stack([random.integers(0, 12, 400), clean[:, 0]]).astype(np.float32)
categorical[random.random(400) < 0.1, 0] = np.nan
in_set = np.isin(np.nan_to_num(categorical[:, 0], nan=-1), [1, 3, 7, 11]) + 0.1 * clean[:, 0]

cases = {
    "binary_logistic": case("binary_logistic", {"objective": "binary:logistic"}, x, binary),
    "binary_logistic_scalar": case(
        "binary_logistic_scalar", {"objective": "binary:logistic"}, x, binary, base_score_text="3.5E-1"
    ),
    "binary_logitraw": case("binary_logitraw", {"objective": "binary:logitraw"}, x, binary),
    "multi_softprob": case("multi_softprob", {"objective": "multi:softprob", "num_class": 3}, x, multi),
    "multi_softprob_scalar": case(
        "multi_softprob_scalar", {"objective": "multi:softprob", "num_class": 3}, x, multi, base_score_text="5E-1"
    ),
    "multi_softmax": case("multi_softmax", {"objective": "multi:softmax", "num_class": 3}, x, multi),
    "reg_squarederror": case("reg_squarederror", {"objective": "reg:squarederror"}, x, score),
    "reg_logistic": case("reg_logistic", {"objective": "reg:logistic"}, x, binary),
    "reg_absoluteerror": case("reg_absoluteerror", {"objective": "reg:absoluteerror"}, x, score),
    "count_poisson": case("count_poisson", {"objective": "count:poisson"}, x, np.round(positive)),
    "reg_gamma": case("reg_gamma", {"objective": "reg:gamma"}, x, positive),
    "reg_tweedie": case("reg_tweedie", {"objective": "reg:tweedie"}, x, positive),
    "forest": case(
        "forest", {"objective": "binary:logistic", "num_parallel_tree": 5, "subsample": 0.5, "eta": 1}, x, binary, 1
    ),
    "deep": case("deep", {"objective": "reg:squarederror", "max_depth": 10, "lambda": 0, "eta": 1}, x, score, 30),
    "categorical": case(
        "categorical",
        {"objective": "reg:squarederror", "max_cat_to_onehot": 1},
        categorical,
        in_set,
        types=["c", "float"],
    ),
    "onehot": case(
        "onehot",
        {"objective": "reg:squarederror", "max_cat_to_onehot": 50},
        categorical,
        in_set,
        types=["c", "float"],
    ),
}
# The scikit-learn interface predicts up to the best iteration.
early = xgb.XGBClassifier(n_estimators=80, learning_rate=1.0, early_stopping_rounds=3)
early.fit(x[:200], multi[:200], eval_set=[(x[200:], multi[200:])], verbose=False)
early.save_model(f"{folder}/early_stopping.json")
early.load_model(f"{folder}/early_stopping.json")
cases["early_stopping"] = {
    "rows": listed(x),
    "margins": listed(early.predict(x, output_margin=True)),
    "predictions": listed(early.predict_proba(x)),
}
print(json.dumps({"version": xgb.__version__, "cases": cases}))
