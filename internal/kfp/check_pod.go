package kfp

// pod checks where the names in the configuration of a pod come from: they are
// those of the DAG that the task is in.
func (c *checker) pod(p *Pod, s *scope) {
	var names []Source
	for _, list := range [][]*ConfigVolume{p.SecretVolumes, p.ConfigVolumes} {
		for _, v := range list {
			names = append(names, v.Name)
		}
	}
	for _, list := range [][]*ConfigEnv{p.SecretEnv, p.ConfigEnv} {
		for _, e := range list {
			names = append(names, e.Name)
		}
	}
	for _, m := range p.Claims {
		names = append(names, m.Name)
	}
	for _, x := range p.PullSecrets {
		names = append(names, x.Name)
	}
	for _, t := range p.Tolerations {
		names = append(names, t.JSON)
	}
	for _, a := range p.NodeAffinity {
		names = append(names, a.JSON)
	}
	if p.NodeSelector != nil {
		names = append(names, p.NodeSelector.JSON)
	}
	for _, x := range p.ResourceClaims {
		names = append(names, x.JSON)
	}
	for _, from := range names {
		if from != nil {
			c.sourceType(from, nil, s)
		}
	}
}
